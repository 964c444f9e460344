//! The pool's figures, in OpenMetrics.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::gossip::{CallError, PoolHandle, PoolStatus, Traffic};

/// What stands on the page: copied from the pool when somebody asks.
pub(super) async fn page(pool: &PoolHandle) -> Result<String, CallError> {
    let status = pool.status().await?;
    let figures = Figures { status, pool: pool.clone() };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(figures));
    let mut page = String::new();
    text::encode(&mut page, &registry).expect("strings take everything");
    Ok(page)
}

#[derive(Debug)]
struct Figures {
    status: PoolStatus,
    pool: PoolHandle,
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.members(&mut encoder)?;
        self.traffic(&mut encoder)?;
        self.protocol(&mut encoder)
    }
}

impl Figures {
    fn members(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let PoolStatus { swim, serf } = &self.status;
        let members = [
            ("alive", swim.alive),
            ("suspect", swim.suspect),
            ("failed", serf.failed),
            ("left", serf.left),
        ];
        let members = members.map(|(status, count)| ("status", status, signed(count)));
        gauges(encoder, "conclave_gossip_members", "Members of the pool", &members)?;
        let gauge = |encoder: &mut DescriptorEncoder<'_>, name, help, value| {
            let gauge = ConstGauge::new(value);
            let descriptor = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(descriptor)
        };
        gauge(
            encoder,
            "conclave_gossip_broken_links",
            "Members to which packets do not go as they should",
            signed(swim.links.len()),
        )?;
        gauge(
            encoder,
            "conclave_gossip_health_score",
            "How much this member doubts itself; 0 is not at all",
            i64::from(swim.health_score),
        )?;
        gauge(
            encoder,
            "conclave_gossip_queued",
            "News of members that wait to be passed on",
            signed(swim.queued),
        )?;
        gauge(
            encoder,
            "conclave_gossip_streams_open",
            "Streams of others under way",
            self.pool.traffic().streams_open.value(),
        )
    }

    fn traffic(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Traffic {
            packets_out,
            packet_bytes_out,
            packets_unsent,
            packets_in,
            packet_bytes_in,
            streams_out,
            streams_in,
            stream_bytes_out,
            stream_bytes_in,
            refusals,
            ..
        } = self.pool.traffic();
        let pair = |out: &crate::gossip::Counter, into: &crate::gossip::Counter| {
            [("direction", "out", out.value()), ("direction", "in", into.value())]
        };
        let packets = pair(packets_out, packets_in);
        counters(encoder, "conclave_gossip_packets", "Packets", &packets)?;
        let bytes = pair(packet_bytes_out, packet_bytes_in);
        counters(encoder, "conclave_gossip_packet_bytes", "Bytes of packets", &bytes)?;
        let streams = pair(streams_out, streams_in);
        counters(encoder, "conclave_gossip_streams", "Streams opened", &streams)?;
        let bytes = pair(stream_bytes_out, stream_bytes_in);
        counters(encoder, "conclave_gossip_stream_bytes", "Bytes on streams", &bytes)?;
        let unsent = ConstCounter::new(packets_unsent.value());
        let help = "Packets that the system did not take";
        let name = "conclave_gossip_packets_unsent";
        unsent.encode(encoder.encode_descriptor(name, help, None, unsent.metric_type())?)?;
        let refused: Vec<_> =
            refusals.iter().map(|(refusal, count)| ("reason", refusal.label(), count)).collect();
        let help = "What came in, or came of a question, and was not taken";
        counters(encoder, "conclave_gossip_refused", help, &refused)
    }

    fn protocol(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (swim, serf) = (&self.status.swim.counters, &self.status.serf.counters);
        let help = "What the member has done";
        let done = [
            ("probes", swim.probes),
            ("probes_failed", swim.probes_failed),
            ("stream_answers", swim.stream_answers),
            ("exchanges", swim.exchanges),
            ("exchanges_failed", swim.exchanges_failed),
            ("suspicions", swim.suspicions),
            ("deaths", swim.deaths),
            ("refutations", swim.refutations),
            ("conflicts", swim.conflicts),
            ("refused", swim.refused),
            ("stalls", swim.stalls),
            ("events", serf.events),
            ("queries", serf.queries),
            ("malformed", serf.malformed),
            ("reconnects", serf.reconnects),
        ];
        let done = done.map(|(what, count)| ("what", what, count));
        counters(encoder, "conclave_gossip_done", help, &done)?;
        let help = "What a member said that was not told here, or not answered";
        let dropped = [
            ("events_full", serf.events_dropped),
            ("events_old", serf.events_old),
            ("intents_full", serf.intents_dropped),
            ("queries_full", serf.queries_dropped),
            ("queries_old", serf.queries_old),
            ("responses_late", serf.responses_late),
            ("leaps", serf.leaps),
        ];
        let dropped = dropped.map(|(what, count)| ("what", what, count));
        counters(encoder, "conclave_gossip_dropped", help, &dropped)
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn counters(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: &[(&str, &str, u64)],
) -> Result<(), fmt::Error> {
    let kind = ConstCounter::new(0_u64).metric_type();
    let mut descriptor = encoder.encode_descriptor(name, help, None, kind)?;
    for (label, value, count) in values {
        let labels = [(*label, *value)];
        ConstCounter::new(*count).encode(descriptor.encode_family(&labels)?)?;
    }
    Ok(())
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: &[(&str, &str, i64)],
) -> Result<(), fmt::Error> {
    let kind = ConstGauge::new(0_i64).metric_type();
    let mut descriptor = encoder.encode_descriptor(name, help, None, kind)?;
    for (label, value, count) in values {
        let labels = [(*label, *value)];
        ConstGauge::new(*count).encode(descriptor.encode_family(&labels)?)?;
    }
    Ok(())
}
