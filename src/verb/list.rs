//! `tallyman list`: runnables as a table, and with `-w` what becomes of them.

use crate::client::{Client, Request, Where, request, text};
use crate::exit::{Exit, Failure};
use crate::output::{Form, OutputOptions, items};
use crate::runnable;
use crate::screen::Screen;
use serde_json::Value;

/// Records of one page.
const PAGE_MAX: u32 = 500;

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    place: Where,
    /// All namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only those with these labels, as desk=rates,env!=test or `desk in (rates,fx)`
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// Only those, as status.phase=Failed,status.cluster=east
    #[arg(long, value_name = "FIELDS")]
    field_selector: Option<String>,
    /// Go on and print every change
    #[arg(short, long)]
    watch: bool,
    /// Answer at once from the asked server's own state, also without a leader
    #[arg(long)]
    stale: bool,
    #[command(flatten)]
    output: OutputOptions,
}

impl List {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let mut list = self.page(client, None).await?;
        while let Some(next) =
            Some(text(&list, "/metadata/continue").to_owned()).filter(|next| !next.is_empty())
        {
            let mut page = self.page(client, Some(&next)).await?;
            let more =
                page.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
            if let Some(items) = list.get_mut("items").and_then(Value::as_array_mut) {
                items.extend(more);
            }
            if let Some(metadata) = page.get("metadata").cloned() {
                list["metadata"] = metadata;
            }
        }
        self.output.print(&list, &runnable::COLUMNS)?;
        if self.watch { self.follow(client, text(&list, "/metadata/resourceVersion")).await } else { Ok(()) }
    }

    fn request(&self) -> Request {
        let namespace = (!self.all_namespaces).then(|| self.place.namespace());
        Request::get(request::runnables(namespace))
            .query_some("labelSelector", self.selector.as_deref())
            .query_some("fieldSelector", self.field_selector.as_deref())
    }

    async fn page(&self, client: &Client, next: Option<&str>) -> Result<Value, Failure> {
        let request = self.request().query("limit", PAGE_MAX).query_some("continue", next);
        let request = request.query_some("consistency", self.stale.then_some("stale"));
        Ok(client.read(&request).await?.body)
    }

    /// Prints changes until the reader goes away. A watch that breaks is opened again where it was.
    async fn follow(&self, client: &Client, version: &str) -> Result<(), Failure> {
        let mut version = version.to_owned();
        loop {
            let watch = self.request().query("watch", "true").query("allowWatchBookmarks", "true");
            let mut lines = client.lines(&watch.query("resourceVersion", &version)).await?;
            while let Some(event) = lines.next().await? {
                let object = event.get("object").cloned().unwrap_or_default();
                match text(&event, "/type") {
                    "ERROR" => {
                        let message = format!("the watch ended: {}", text(&object, "/message"));
                        return Err(Failure::new(Exit::Failed, message, "tallyman list -w"));
                    }
                    "BOOKMARK" => {}
                    change => self.show(change, &object)?,
                }
                let reached = text(&object, "/metadata/resourceVersion");
                if !reached.is_empty() {
                    version = reached.to_owned();
                }
            }
        }
    }

    fn show(&self, change: &str, run: &Value) -> Result<(), Failure> {
        let screen = Screen::stdout();
        if self.output.output != Form::Table {
            return self.output.print(run, &runnable::COLUMNS);
        }
        let phase = if change == "DELETED" { "deleted" } else { text(run, "/status/phase") };
        let (cluster, message) = (text(run, "/status/cluster"), runnable::message(run));
        let revision = text(run, "/metadata/resourceVersion");
        for run in items(run) {
            let line = format!(
                "{}  {}  {cluster}  rev {revision}  {message}",
                screen.phase(phase, 9),
                runnable::reference(run)
            );
            screen.line(line.trim_end());
        }
        Ok(())
    }
}
