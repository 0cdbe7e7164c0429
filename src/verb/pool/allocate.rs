//! `tallyman pool allocate`: gives a value to a key.

use super::{ALLOCATIONS, POOLS};
use crate::client::{Client, Request, Where, text};
use crate::exit::Failure;
use crate::output::OutputOptions;
use crate::screen::Screen;
use crate::verb::ChangeOptions;
use reqwest::Method;
use serde_json::json;

const AFTER_HELP: &str = "\
Examples:
  tallyman pool allocate risk/vlans --key desk-7
  tallyman pool allocate vlans -n risk --key desk-7 --value 150 --ttl 15m
  tallyman pool allocate risk/ports --key desk-7 --size 16 --align 16
  tallyman pool allocate risk/nets --key desk-7 --prefix-length 20

Asked again for the same key it is the same value, for the ttl from then on.

Exit codes: 3 there is no such pool, 4 the value is another's or all are allocated, 7 unknown (repeat it: the key makes it safe)";

/// Give a value of a pool to a key
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Allocate {
    /// NAME or NS/NAME of the pool
    #[arg(value_name = "POOL")]
    pool: String,
    #[command(flatten)]
    place: Where,
    /// For whom
    #[arg(long, value_name = "KEY")]
    key: String,
    /// Which value, or block as FIRST-LAST or CIDR (default: the first one that is free)
    #[arg(long, value_name = "VALUE")]
    value: Option<String>,
    /// How many integers in a row (default: one)
    #[arg(long, value_name = "COUNT")]
    size: Option<u64>,
    /// The first integer is to be a multiple of this
    #[arg(long, value_name = "NUMBER")]
    align: Option<u64>,
    /// The prefix length of the block of addresses (default: that of the pool)
    #[arg(long, value_name = "LENGTH")]
    prefix_length: Option<u8>,
    /// For how long (default: until it is released)
    #[arg(long, value_name = "DURATION")]
    ttl: Option<String>,
    #[command(flatten)]
    change: ChangeOptions,
    #[command(flatten)]
    output: OutputOptions,
}

impl Allocate {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let (namespace, pool) = self.place.split(&self.pool)?;
        let Self { key, value, size, align, prefix_length, ttl, .. } = &self;
        let body = json!({"key": key, "value": value, "size": size, "align": align,
            "prefixLength": prefix_length, "ttl": ttl});
        let path = format!("{}/allocations", POOLS.one(namespace, pool));
        let options = [
            ("value", value.clone()),
            ("size", size.map(|size| size.to_string())),
            ("align", align.map(|align| align.to_string())),
            ("prefix-length", prefix_length.map(|length| length.to_string())),
            ("ttl", ttl.clone()),
        ];
        let given = options.into_iter().filter_map(|(name, value)| Some(format!(" --{name} {}", value?)));
        let given: String = given.collect();
        let repeat = format!("tallyman pool allocate {namespace}/{pool} --key {key}{given}");
        let request = Request::send(Method::POST, path, &body).keyed(self.change.key());
        let answer = client.change(request, &repeat).await?;
        if !self.output.output.is_table() {
            return self.output.print(&answer.body, ALLOCATIONS.columns);
        }
        if !client.is_curl() {
            let value = text(&answer.body, "/status/value");
            let line = format!("{namespace}/{pool}.{}   {value}   rev {}", self.key, answer.revision());
            Screen::stdout().line(&line);
        }
        Ok(())
    }
}
