//! Login by token.

use crate::client::start_with;
use crate::memory::Memory;
use crate::samples::{RUNNABLES, runnable};
use tallyman_api::Identity;
use tallyman_api::identity::Tokens;

#[tokio::test]
async fn with_a_tokens_file_nothing_but_health_is_answered_without_a_token() {
    let tokens = Tokens::parse("secret-1,ann,1,\"risk\"\nsecret-2,root,2,system:masters\n").unwrap();
    let server =
        start_with(&Memory::founded(), |options, _| options.identity = Identity::Tokens(tokens)).await;
    for path in [RUNNABLES, "/metrics", "/operator/status"] {
        let reply = server.get(path).await;
        reply.refused(401, "Unauthorized");
        assert!(reply.header("www-authenticate").starts_with("Bearer"));
    }
    assert_eq!(server.get("/livez").await.status.as_u16(), 200);
    assert_eq!(server.get("/readyz").await.status.as_u16(), 200);
    let wrong = [("authorization", "Bearer secret-3")];
    server.send("GET", RUNNABLES, &wrong, "").await.refused(401, "Unauthorized");
    let ann = [("authorization", "Bearer secret-1")];
    let document = server.send("POST", RUNNABLES, &ann, runnable("a").to_string()).await.done(201);
    assert_eq!(document["status"]["submittedBy"], "ann");
    server.send("GET", "/operator/status", &ann, "").await.refused(403, "Forbidden");
    let root = [("authorization", "bearer secret-2")];
    server.send("GET", "/operator/status", &root, "").await.done(200);
}

#[tokio::test]
async fn without_login_a_page_of_a_web_site_is_not_served() {
    let server = start_with(&Memory::founded(), |_, _| {}).await;
    let elsewhere = [("origin", "https://example.com")];
    server.send("POST", RUNNABLES, &elsewhere, runnable("a").to_string()).await.refused(403, "Forbidden");
}
