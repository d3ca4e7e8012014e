use super::*;

#[test]
fn a_url_names_a_server_and_is_never_shown() {
    for text in ["redis://localhost", "valkey://:hunter2@10.0.0.1:6380/3", "rediss://bridgehead:hunter2@cache.internal"]
    {
        let url = ValkeyUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(url.expose(), text);
        assert!(!format!("{url:?}").contains("hunter2"));
    }
    for text in ["", "localhost:6379", "http://localhost", "redis:hunter2", "redis://", "redis://localhost/hunter2"] {
        let error = ValkeyUrl::parse(text).unwrap_err();
        assert_eq!(error, ValkeyUrlError::NotAServer, "{text}");
        assert!(!error.to_string().contains("hunter2"));
    }
    assert_eq!(ValkeyUrl::parse("rediss://localhost#insecure").unwrap_err(), ValkeyUrlError::Insecure);
}
