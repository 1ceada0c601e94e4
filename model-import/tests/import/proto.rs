//! ONNX files as small as a test needs them, good or not.

/// A graph in the making.
#[derive(Clone, Default)]
pub struct Model {
    graph: Vec<u8>,
}

/// What a node is told.
pub enum Told<'a> {
    Float(f32),
    Int(i64),
    Floats(&'a [f32]),
    Ints(&'a [i64]),
    Text(&'a str),
    Graph,
}

impl Model {
    /// Rows of `features` values in `x`, one answer in `y`.
    pub fn new(features: u64) -> Self {
        Self::default().input("x", features).output("y")
    }

    pub fn input(self, name: &str, features: u64) -> Self {
        let rows = bytes(1, &[]);
        let width = bytes(1, &number(1, features));
        let tensor = [number(1, 1), bytes(2, &[rows, width].concat())].concat();
        let info = [bytes(1, name.as_bytes()), bytes(2, &bytes(1, &tensor))].concat();
        self.with(&bytes(11, &info))
    }

    pub fn output(self, name: &str) -> Self {
        self.with(&bytes(12, &bytes(1, name.as_bytes())))
    }

    pub fn tensor(self, name: &str, shape: &[u64], values: &[f32]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.stored(name, shape, 1, &bytes(9, &raw))
    }

    pub fn integers(self, name: &str, shape: &[u64], values: &[i64]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.stored(name, shape, 7, &bytes(9, &raw))
    }

    /// A tensor whose values are whatever `rest` says.
    pub fn stored(self, name: &str, shape: &[u64], data_type: u64, rest: &[u8]) -> Self {
        let dimensions: Vec<u8> = shape.iter().flat_map(|size| number(1, *size)).collect();
        let head = [dimensions, number(2, data_type), bytes(8, name.as_bytes())].concat();
        self.with(&bytes(5, &[&head[..], rest].concat()))
    }

    pub fn node(self, op: &str, inputs: &[&str], output: &str) -> Self {
        self.told(op, inputs, output, &[])
    }

    /// The node's name is that of what it gives, behind `the `: one value, or several with a space
    /// between them.
    pub fn told(self, op: &str, inputs: &[&str], output: &str, told: &[(&str, Told<'_>)]) -> Self {
        let (domain, op) = op.split_once(':').unwrap_or(("", op));
        let mut node: Vec<u8> = inputs.iter().flat_map(|name| bytes(1, name.as_bytes())).collect();
        node.extend(output.split(' ').flat_map(|name| bytes(2, name.as_bytes())));
        node.extend(bytes(3, format!("the {output}").as_bytes()));
        node.extend([bytes(4, op.as_bytes()), bytes(7, domain.as_bytes())].concat());
        for (name, told) in told {
            let value = match told {
                Told::Float(value) => [&[0x15][..], &value.to_le_bytes()].concat(),
                Told::Int(value) => number(3, *value as u64),
                Told::Floats(values) => {
                    bytes(7, &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
                }
                Told::Ints(values) => values.iter().flat_map(|v| number(8, *v as u64)).collect(),
                Told::Text(text) => bytes(4, text.as_bytes()),
                Told::Graph => bytes(6, &[]),
            };
            node.extend(bytes(5, &[bytes(1, name.as_bytes()), value].concat()));
        }
        self.with(&bytes(1, &node))
    }

    pub fn with(mut self, field: &[u8]) -> Self {
        self.graph.extend(field);
        self
    }

    pub fn file(&self) -> Vec<u8> {
        [number(1, 10), bytes(2, b"a test"), bytes(7, &self.graph)].concat()
    }
}

pub fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

pub fn bytes(field: u64, content: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = vec![];
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
