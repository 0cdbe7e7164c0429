//! The log's flushes as a histogram. They are counted where they happen.

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};
use std::sync::{Arc, Mutex, PoisonError};
use tallyman_raft::{FLUSH_BUCKETS_S, FlushTimes};

#[derive(Clone, Debug, Default)]
pub(super) struct Flushes(Arc<Mutex<FlushTimes>>);

impl Flushes {
    pub(super) fn set(&self, times: FlushTimes) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = times;
    }
}

impl TypedMetric for Flushes {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Flushes {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let times = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ends = FLUSH_BUCKETS_S.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = ends.zip(times.buckets).collect();
        encoder.encode_histogram::<NoLabelSet>(times.total.as_secs_f64(), times.count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}
