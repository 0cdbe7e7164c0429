//! Faults on request, and the counting of requests.

use crate::world::{cluster, config_map, config_maps, job, jobs, refusal, until};
use kube::api::{DeleteParams, ListParams, PostParams};
use std::time::Duration;
use tallyman_chaos::{Fault, Loss, Matching, Refuse, Verb};

fn creates() -> Matching {
    Matching::verb(Verb::Create).resource("configmaps")
}

#[tokio::test]
async fn requests_are_counted_by_verb_resource_and_user_agent() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    api.create(&PostParams::default(), &config_map("one", "a")).await.unwrap();
    api.list(&ListParams::default()).await.unwrap();
    assert_eq!(refusal(api.get("none").await).0, 404);
    api.delete("one", &DeleteParams::default()).await.unwrap();
    let counts = cluster.requests();
    for verb in [Verb::Create, Verb::List, Verb::Get, Verb::Delete] {
        assert_eq!(counts.of(verb, "configmaps"), 1, "{verb:?}");
    }
    assert_eq!((counts.of_user_agent("tests/1"), counts.total()), (4, 4));
}

#[tokio::test]
async fn a_refused_request_has_no_effect_and_the_next_one_passes() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    let refuse = Refuse { retry_after_s: Some(7), ..Refuse::status(429) };
    cluster.faults().next(1, creates(), Fault::Refuse(refuse));
    let Err(kube::Error::Api(status)) = api.create(&PostParams::default(), &config_map("one", "a")).await
    else {
        panic!("not refused")
    };
    assert_eq!((status.code, status.reason.as_str()), (429, "TooManyRequests"));
    assert_eq!(status.details.unwrap().retry_after_seconds, 7);
    assert_eq!(refusal(api.get("one").await).0, 404);
    api.create(&PostParams::default(), &config_map("one", "a")).await.unwrap();
}

#[tokio::test]
async fn a_request_whose_answer_is_lost_is_done() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    for (name, loss) in [("dropped", Loss::Drop), ("late", Loss::GatewayTimeout)] {
        cluster.faults().next(1, creates(), Fault::LoseAnswer(loss));
        let answer = api.create(&PostParams::default(), &config_map(name, "a")).await;
        assert_eq!(matches!(answer, Err(kube::Error::Api(_))), loss == Loss::GatewayTimeout, "{answer:?}");
        assert!(answer.is_err() && api.get(name).await.is_ok());
    }
}

#[tokio::test]
async fn a_held_create_is_delivered_late_even_if_its_client_went_away() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    let hold = cluster.faults().hold(creates());
    let impatient = tokio::spawn({
        let api = api.clone();
        async move { api.create(&PostParams::default(), &config_map("one", "a")).await }
    });
    hold.wait_held(1).await;
    impatient.abort();
    assert!(impatient.await.unwrap_err().is_cancelled());
    assert_eq!(refusal(api.get("one").await).0, 404);
    hold.release();
    until("the late create", async || api.get_opt("one").await.unwrap()).await;
}

#[tokio::test]
async fn a_hanging_request_is_never_answered_and_has_no_effect() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    let id = cluster.faults().always(creates(), Fault::Hang);
    let hanging = tokio::spawn({
        let api = api.clone();
        async move { api.create(&PostParams::default(), &config_map("one", "a")).await }
    });
    until("the hit", async || (cluster.faults().hits(id) == 1).then_some(())).await;
    assert!(!hanging.is_finished());
    cluster.faults().remove(id);
    assert!(hanging.await.unwrap().is_err());
    assert_eq!(refusal(api.get("one").await).0, 404);
}

#[tokio::test]
async fn delays_delay_and_revoked_rights_refuse_everything() {
    let cluster = cluster().await;
    let api = jobs(&cluster);
    cluster.faults().next(1, Matching::any(), Fault::Delay(Duration::from_millis(100)));
    let before = tokio::time::Instant::now();
    api.create(&PostParams::default(), &job("report")).await.unwrap();
    assert!(before.elapsed() >= Duration::from_millis(100));
    for (status, reason) in [(401, "Unauthorized"), (403, "Forbidden")] {
        let id = cluster.faults().refuse_all(status);
        assert_eq!(refusal(api.get("report").await), (status, reason.to_owned()));
        cluster.faults().remove(id);
    }
    api.get("report").await.unwrap();
}

#[tokio::test]
async fn a_paused_listener_refuses_connections_and_comes_back_on_its_port() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    api.create(&PostParams::default(), &config_map("one", "a")).await.unwrap();
    cluster.pause_listener().await;
    assert!(tokio::net::TcpStream::connect(cluster.address()).await.is_err());
    until("a broken connection", async || api.get("one").await.is_err().then_some(())).await;
    cluster.resume_listener().await.unwrap();
    until("an answer", async || api.get("one").await.ok()).await;
}
