//! One try, for whoever measures: what is repeated when is theirs to say.

use super::{ANSWER_BYTES_MAX, Answer, Client, Request};
use std::time::Duration;
use tokio::time::timeout;

impl Client {
    /// Asks the first server once; `None` if it gave no whole answer in that time: then it may have done what was asked.
    pub(crate) async fn once(&self, request: &Request, limit: Duration) -> Option<Answer> {
        let server = self.servers.first()?;
        let request = match &request.key {
            Some(key) => request.clone().with_key(key),
            None => request.clone(),
        };
        let asked = async {
            let response = self.build(&request, server).send().await.ok()?;
            Answer::read(response, server, ANSWER_BYTES_MAX).await.ok()
        };
        timeout(limit, asked).await.ok()?
    }
}
