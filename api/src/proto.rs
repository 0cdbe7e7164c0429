//! As much of protobuf as it takes to read the two reviews that kubectl sends in it and in nothing else: fields that
//! are texts or messages.

/// What stands before every document that Kubernetes writes as protobuf.
const MAGIC: &[u8] = b"k8s\0";
/// Where the document is in the wrapping message.
const RAW: u64 = 2;

/// One message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Message<'a>(&'a [u8]);

impl<'a> Message<'a> {
    /// The document in a body; `None` if it is none.
    pub(crate) fn document(body: &'a [u8]) -> Option<Self> {
        Self(body.strip_prefix(MAGIC)?).field(RAW)?
    }

    /// The message in field `number`, empty if it is not there; `None` if this is no message.
    pub(crate) fn field(self, number: u64) -> Option<Option<Self>> {
        let mut rest = self.0;
        let mut found = None;
        while !rest.is_empty() {
            let key = varint(&mut rest)?;
            match key & 7 {
                0 => drop(varint(&mut rest)?),
                1 => rest = rest.get(8..)?,
                5 => rest = rest.get(4..)?,
                2 => {
                    let length = usize::try_from(varint(&mut rest)?).ok()?;
                    let (bytes, after) = rest.split_at_checked(length)?;
                    rest = after;
                    if key >> 3 == number {
                        found = Some(Self(bytes));
                    }
                }
                _ => return None,
            }
        }
        Some(found)
    }

    /// The text in field `number`, empty if it is not there.
    pub(crate) fn text(self, number: u64) -> Option<&'a str> {
        let found = self.field(number)?;
        std::str::from_utf8(found.unwrap_or_default().0).ok()
    }
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_unwrapped_and_its_fields_are_found() {
        // Field 1: a type; field 2: {field 2: "get", field 4: 7}.
        let body = [MAGIC, b"\x0a\x02v1\x12\x07\x12\x03get\x20\x07"].concat();
        let document = Message::document(&body).unwrap();
        assert_eq!(document.text(2), Some("get"));
        assert_eq!(document.text(3), Some(""));
    }

    #[test]
    fn what_is_cut_or_is_something_else_is_no_document() {
        let body = [MAGIC, b"\x12\x07\x12\x03get\x20\x07"].concat();
        for end in 0..body.len() {
            let cut = Message::document(&body[..end]).and_then(|document| document.text(2));
            assert_eq!(cut, None, "{end}");
        }
        assert!(Message::document(b"{}").is_none());
        assert!(Message::document(&[MAGIC, &[0xff; 20]].concat()).is_none());
    }
}
