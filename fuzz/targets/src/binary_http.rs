use sealgate_keys::{InnerAnswer, InnerRequest, bucket};

/// Binary HTTP (RFC 9292) as it stands inside a seal: a padded request or a padded answer.
///
/// # Panics
/// When a message is read that is not written back, or padding counts that is not zeros.
pub fn binary_http(input: &[u8]) {
    if let Ok(request) = InnerRequest::decode(input) {
        assert!(request.body.expose().len() <= input.len(), "nothing grows");
        let bytes = request.encode().expect("what is read is written");
        assert_eq!(bytes.expose().len(), bucket(bytes.expose().len()), "a whole bucket");
        let again = InnerRequest::decode(bytes.expose()).expect("what is written is read");
        assert_same_request(&request, &again);
        let more = InnerRequest::decode(&followed_by(input, 0)).expect("zeros are padding");
        assert_same_request(&request, &more);
        assert!(InnerRequest::decode(&followed_by(input, 1)).is_err(), "padding is zeros");
        assert!(InnerAnswer::decode(input).is_err(), "a request is no answer");
    }
    if let Ok(answer) = InnerAnswer::decode(input) {
        assert!(answer.body.expose().len() <= input.len(), "nothing grows");
        let bytes = answer.encode(ANSWER_BYTES_MIN).expect("what is read is written");
        let size = bytes.expose().len();
        assert_eq!(size, bucket(size.max(ANSWER_BYTES_MIN)), "a whole bucket, and the least one");
        let again = InnerAnswer::decode(bytes.expose()).expect("what is written is read");
        assert_same_answer(&answer, &again);
        let more = InnerAnswer::decode(&followed_by(input, 0)).expect("zeros are padding");
        assert_same_answer(&answer, &more);
        assert!(InnerAnswer::decode(&followed_by(input, 1)).is_err(), "padding is zeros");
    }
}

fn assert_same_request(one: &InnerRequest, other: &InnerRequest) {
    assert_eq!((&one.method, &one.path), (&other.method, &other.path));
    assert_eq!(one.headers, other.headers);
    assert_eq!(one.body.expose(), other.body.expose());
}

fn assert_same_answer(one: &InnerAnswer, other: &InnerAnswer) {
    assert_eq!((one.status, &one.content_type), (other.status, &other.content_type));
    assert_eq!(one.headers, other.headers);
    assert_eq!(one.body.expose(), other.body.expose());
}

fn followed_by(input: &[u8], byte: u8) -> Vec<u8> {
    [input, &[byte]].concat()
}

const ANSWER_BYTES_MIN: usize = 3000;
