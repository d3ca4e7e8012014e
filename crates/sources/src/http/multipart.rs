//! `multipart/form-data` (RFC 7578), written whole in memory.

/// One part of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The field's name.
    pub(crate) name: String,
    /// The file's name, where the part is a file.
    pub(crate) file_name: Option<String>,
    /// Its media type; none is sent where `None` (RFC 7578 §4.4: `text/plain`).
    pub(crate) media_type: Option<String>,
    /// What it holds.
    pub(crate) bytes: Vec<u8>,
}

/// The body, and the value of `content-type` that goes with it.
pub(super) fn write(parts: &[Part]) -> (Vec<u8>, String) {
    let boundary = boundary(parts);
    let mut body = Vec::new();
    for part in parts {
        body.extend_from_slice(format!("--{boundary}\r\ncontent-disposition: form-data; ").as_bytes());
        body.extend_from_slice(format!("name=\"{}\"", quoted(&part.name)).as_bytes());
        if let Some(file_name) = &part.file_name {
            body.extend_from_slice(format!("; filename=\"{}\"", quoted(file_name)).as_bytes());
        }
        if let Some(media_type) = &part.media_type {
            let media_type: String = media_type.chars().filter(|c| !c.is_control()).collect();
            body.extend_from_slice(format!("\r\ncontent-type: {media_type}").as_bytes());
        }
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(&part.bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (body, format!("multipart/form-data; boundary={boundary}"))
}

/// As browsers do (WHATWG HTML, "multipart/form-data encoding algorithm").
fn quoted(text: &str) -> String {
    text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// Text that stands in none of the parts: looked for, instead of left to chance.
fn boundary(parts: &[Part]) -> String {
    let mut number: u64 = 0;
    loop {
        let boundary = format!("bridgehead-part-{number:08}");
        let taken = |bytes: &[u8]| bytes.windows(boundary.len()).any(|window| window == boundary.as_bytes());
        if !parts.iter().any(|part| taken(&part.bytes)) {
            return boundary;
        }
        number += 1;
    }
}
