/// Takes an input apart from its start; past its end everything is empty or zero.
pub(crate) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) const fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    pub(crate) fn number(&mut self) -> usize {
        let high = self.byte();
        usize::from(u16::from_be_bytes([high, self.byte()]))
    }

    /// The bytes after a length of two bytes.
    pub(crate) fn part(&mut self) -> &'a [u8] {
        let length = self.number();
        self.take(length)
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
