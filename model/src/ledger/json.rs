//! Writes JSON from where its parts are, byte for byte as `serde_json` writes a structure of them.

/// A document that is being written.
pub(super) struct Json(Vec<u8>);

/// Most records are not longer.
const BYTES_USUAL: usize = 1024;

impl Default for Json {
    fn default() -> Self {
        Self(Vec::with_capacity(BYTES_USUAL))
    }
}

impl Json {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Begins an object, as a document or as an element of a list.
    pub(super) fn open(&mut self) {
        self.next();
        self.0.push(b'{');
    }

    pub(super) fn close(&mut self) {
        self.0.push(b'}');
    }

    pub(super) fn open_list(&mut self) {
        self.0.push(b'[');
    }

    pub(super) fn close_list(&mut self) {
        self.0.push(b']');
    }

    /// The name of a field, to be followed by its value. It has nothing to be escaped.
    pub(super) fn key(&mut self, name: &str) {
        self.next();
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    /// A field that is true.
    pub(super) fn flag(&mut self, name: &str) {
        self.key(name);
        self.0.extend_from_slice(b"true");
    }

    pub(super) fn number(&mut self, name: &str, value: u64) -> Result<(), serde_json::Error> {
        self.key(name);
        serde_json::to_writer(&mut self.0, &value)
    }

    pub(super) fn text(&mut self, name: &str, value: &str) -> Result<(), serde_json::Error> {
        self.key(name);
        // Looked through to its end, which is faster than stopping: nearly always there is nothing.
        let is_special = |byte: u8| (byte < b' ') | (byte == b'"') | (byte == b'\\');
        if value.bytes().fold(false, |found, byte| found | is_special(byte)) {
            return serde_json::to_writer(&mut self.0, value);
        }
        self.0.push(b'"');
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(b'"');
        Ok(())
    }

    pub(super) fn text_if_any(&mut self, name: &str, value: &str) -> Result<(), serde_json::Error> {
        if value.is_empty() { Ok(()) } else { self.text(name, value) }
    }

    /// Separates from what is before.
    fn next(&mut self) {
        if self.0.last().is_some_and(|last| !matches!(last, b'{' | b'[' | b':')) {
            self.0.push(b',');
        }
    }
}
