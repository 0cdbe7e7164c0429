//! `tallyman drill list`.

use crate::drill::scenario::Scenario;
use crate::exit::Failure;
use crate::output::OutputOptions;
use serde_json::{Value, json};

const AFTER_HELP: &str = "\
Examples:
  tallyman drill list
  tallyman drill list -o json | jq '.[].name'

Each promises 0 lost, 0 there twice, and that no read with a token misses its write, too. On a deployment they submit to a
namespace of their own what nobody can approve, so that no cluster sees anything of it, and remove it at the end.";

/// List the scenarios: what each breaks, promises and needs
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct List {
    #[command(flatten)]
    output: OutputOptions,
}

impl List {
    pub(super) fn run(self) -> Result<(), Failure> {
        let all: Vec<Value> = Scenario::ALL.iter().map(|scenario| document(*scenario)).collect();
        self.output.print_plain(&Value::Array(all), |output| {
            let row = |scenario: &Scenario| {
                let card = scenario.card();
                let place = match (card.on_dev.is_empty(), card.on_deployment.is_empty()) {
                    (false, true) => "dev only".to_owned(),
                    (true, false) => format!("no dev; {}", card.needs),
                    _ => format!("dev; else {}", card.needs),
                };
                vec![
                    scenario.name().to_owned(),
                    format!("{} ms", card.write_gap_ms_max),
                    format!("{} ms", card.staleness_ms_max),
                    card.sentence.to_owned(),
                    place,
                ]
            };
            let rows: Vec<Vec<String>> = Scenario::ALL.iter().map(row).collect();
            output.table(&["SCENARIO", "WRITE GAP", "STALENESS", "WHAT HAPPENS", "NEEDS"], &rows);
        })
    }
}

fn document(scenario: Scenario) -> Value {
    let card = scenario.card();
    let promises = card.promises(None);
    let promises: Vec<Value> =
        promises.iter().map(|promise| json!({"what": promise.what, "max": promise.max})).collect();
    json!({
        "name": scenario.name(),
        "sentence": card.sentence,
        "promises": promises,
        "onDev": card.on_dev,
        "onDeployment": card.on_deployment,
        "needs": card.needs,
    })
}
