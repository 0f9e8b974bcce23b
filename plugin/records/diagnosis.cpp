#include "plugin/records/diagnosis.h"

#include <algorithm>
#include <cstdio>

#include "plugin/base/text.h"

namespace paceline::records {
namespace {

// A part this large of the time is what bounded it.
constexpr double kMost = 0.5;
// Of a receiver's segments, those behind a hole. One lost segment leaves about a window of them, so that 0.1 % of loss
// shows as some per cent, and a clean path shows none.
constexpr double kLossyPart = 0.005;
// A standing queue shorter than this is the jitter of timers and of other traffic.
constexpr double kQueueMs = 5;
// Connections that compete for a path differ by a third and more; those behind a pacer each run at its rate.
constexpr double kEven = 0.15;
// Handshakes, request, redirect and slow start of a small image: what takes no more round trips than this was bounded
// by them, whatever the rate.
constexpr double kRoundTrips = 14;

std::string ms(double value) {
  return format_duration(std::chrono::nanoseconds(static_cast<std::int64_t>(value * 1e6)));
}

std::string percent(double part, double whole) {
  char text[16];
  std::snprintf(text, sizeof text, "%.0f %%", whole > 0 ? 100 * part / whole : 0);
  return text;
}

std::string rate(double bytes_per_second) { return format_bytes(static_cast<std::uint64_t>(bytes_per_second)) + "/s"; }

const Host* main_host(const std::vector<Host>& hosts) {
  const auto best = std::max_element(hosts.begin(), hosts.end(), [](const Host& a, const Host& b) {
    return a.segments != b.segments ? a.segments < b.segments : a.best_bytes_per_second < b.best_bytes_per_second;
  });
  return best == hosts.end() ? nullptr : &*best;
}

bool lossy(const Host& host) {
  return host.segments > 0 && static_cast<double>(host.out_of_order) > kLossyPart * static_cast<double>(host.segments);
}

unsigned most_streams(const ColdStart& record) {
  unsigned most = 0;
  for (const StreamChange& change : record.streams) most = std::max(most, change.streams);
  return most;
}

Diagnosis transfer(const ColdStart& record) {
  const double time = record.phase_ms("connect") + record.phase_ms("fetch");
  std::uint64_t throttled = 0;
  double silent = 0;
  for (const Host& host : record.hosts) {
    throttled += host.throttled;
    silent += host.silent_ms;
  }
  if (silent > kMost * time || (throttled > 0 && silent > time / 5)) {
    return {Bottleneck::kThrottle,
            "The registry asked to slow down.",
            {std::to_string(throttled) + " answers 429 or 503",
             "it asked for " + ms(silent) + " of silence, of " + ms(time) + " of transfer"}};
  }
  if (record.write_ms > kMost * time) {
    return {Bottleneck::kDisk,
            "The disk took the bytes more slowly than the network brought them.",
            {"writes took " + ms(record.write_ms) + ", " + percent(record.write_ms, time) + " of the transfer"}};
  }
  if (record.cpus > 0 && record.cpu_ms > 0.8 * record.pull_ms * record.cpus) {
    return {Bottleneck::kCpu,
            "The daemon used all cores.",
            {"CPU time " + ms(record.cpu_ms) + " in " + ms(record.pull_ms) + " on " + std::to_string(record.cpus) +
             " cores"}};
  }
  const Host* host = main_host(record.hosts);
  if (host == nullptr) return {};
  if (host->first_byte_ms > kMost * time) {
    return {Bottleneck::kRegistry,
            "The blob host took its time for the first byte of each answer.",
            {"first byte " + ms(host->first_byte_ms) + " after a request, the round trip taken off"}};
  }
  const std::string round_trip = "round trip " + ms(host->rtt_ms);
  if (time <= kRoundTrips * host->rtt_ms) {
    char rounds[32];
    std::snprintf(rounds, sizeof rounds, "%.1f", time / host->rtt_ms);
    return {Bottleneck::kLatency,
            "Round trips took the time: the bytes were too few to fill the path.",
            {round_trip, ms(time) + " of transfer are " + rounds + " round trips",
             format_bytes(record.fetched_bytes) + " fetched"}};
  }
  const std::string streams = "up to " + std::to_string(most_streams(record)) + " streams of " +
                              rate(host->stream_bytes_per_second) + " (give or take " +
                              percent(host->stream_spread, 1) + ")";
  const std::string queue = "standing queue " + ms(host->queue_ms);
  const std::string best = "best " + rate(host->best_bytes_per_second);
  if (per_stream_limit(record, *host)) {
    if (lossy(*host)) {
      return {Bottleneck::kLoss,
              "Lost segments held each connection back.",
              {std::to_string(host->out_of_order) + " of " + std::to_string(host->segments) +
                   " segments came behind a hole (" +
                   percent(static_cast<double>(host->out_of_order), static_cast<double>(host->segments)) + ")",
               queue, streams, round_trip}};
    }
    return {Bottleneck::kConnectionCap,
            "Each connection was limited by itself, and the path was not full.",
            {streams, best, queue, round_trip}};
  }
  return {Bottleneck::kLink, "The path was full.", {best, queue, streams, round_trip}};
}

Diagnosis one_phase(Bottleneck bottleneck, std::string verdict, double part, double whole) {
  return {bottleneck, std::move(verdict), {ms(part) + " of " + ms(whole) + " (" + percent(part, whole) + ")"}};
}

}  // namespace

std::string_view bottleneck_name(Bottleneck bottleneck) {
  switch (bottleneck) {
    case Bottleneck::kNothing:
      return "nothing";
    case Bottleneck::kLatency:
      return "latency";
    case Bottleneck::kLink:
      return "link";
    case Bottleneck::kConnectionCap:
      return "connection cap";
    case Bottleneck::kLoss:
      return "loss";
    case Bottleneck::kThrottle:
      return "throttle";
    case Bottleneck::kDisk:
      return "disk";
    case Bottleneck::kCpu:
      return "CPU";
    case Bottleneck::kUnpack:
      return "unpack";
    case Bottleneck::kTokenServer:
      return "token server";
    case Bottleneck::kRegistry:
      return "registry";
    case Bottleneck::kContainerd:
      return "containerd";
    case Bottleneck::kStart:
      return "start";
    case Bottleneck::kQueue:
      return "queue";
  }
  return "nothing";
}

bool per_stream_limit(const ColdStart& record, const Host& host) {
  if (host.stream_bytes_per_second <= 0) return false;
  // The controller has tried it: half as many streams more brought half as much more.
  bool each = false, shared = false;
  for (const StreamChange& change : record.streams) {
    if (change.host != host.host) continue;
    each = each || change.reason == "ramp_each";
    shared =
        shared || change.reason == "ramp_flat" || change.reason == "ramp_queue_flat" || change.reason == "hold_capped";
  }
  const bool queue = host.queue_ms >= std::max(kQueueMs, host.rtt_ms / 4);
  const bool even = host.stream_spread > 0 && host.stream_spread < kEven;
  // A full path drops what it cannot queue; a pacer delays it.
  if (!lossy(host) && (each || even)) return true;
  return !shared && !queue;
}

Diagnosis diagnose(const ColdStart& record) {
  const double whole = record.cold_start_ms.value_or(record.pull_ms);
  struct Part {
    double ms;
    Diagnosis (*why)(const ColdStart&, double, double);
  };
  const auto phase = [&](const char* name) { return record.phase_ms(name); };
  const Part parts[] = {
      {phase("token"),
       [](const ColdStart&, double part, double all) {
         return one_phase(Bottleneck::kTokenServer, "Waiting for the token server took most of the time.", part, all);
       }},
      {phase("resolve") + phase("manifest"),
       [](const ColdStart& own, double part, double all) {
         auto out =
             one_phase(Bottleneck::kRegistry, "The registry's answers to manifests took most of the time.", part, all);
         const Host* host = main_host(own.hosts);
         // Tag, index, manifest, with handshakes in front: a far registry, not a slow one.
         if (host != nullptr && part <= kRoundTrips * host->rtt_ms) {
           out.bottleneck = Bottleneck::kLatency;
           out.verdict = "Round trips to the registry took most of the time.";
           out.evidence.push_back("round trip " + ms(host->rtt_ms));
         }
         return out;
       }},
      {phase("connect") + phase("fetch"), [](const ColdStart& own, double, double) { return transfer(own); }},
      {phase("verify"),
       [](const ColdStart& own, double part, double all) {
         if (own.fetched_bytes == 0) return Diagnosis{};
         return one_phase(Bottleneck::kDisk, "Hashing the last bytes and syncing them to disk took most of the time.",
                          part, all);
       }},
      {phase("unpack"),
       [](const ColdStart&, double part, double all) {
         return one_phase(Bottleneck::kUnpack, "Unpacking the layers took most of the time.", part, all);
       }},
      {phase("containerd"),
       [](const ColdStart& own, double part, double all) {
         const bool ahead = std::any_of(own.layers.begin(), own.layers.end(),
                                        [](const Layer& layer) { return layer.unpack_end_ms.has_value(); });
         if (ahead) {
           return one_phase(
               Bottleneck::kContainerd,
               "Everything was unpacked, and it took containerd and its client long to make the container.", part, all);
         }
         auto out = one_phase(Bottleneck::kUnpack, "containerd's own unpacking, after the pull, took most of the time.",
                              part, all);
         out.evidence.emplace_back("no layer was unpacked ahead (snapshotter.enabled)");
         return out;
       }},
      {phase("start"),
       [](const ColdStart&, double part, double all) {
         return one_phase(Bottleneck::kStart, "Starting the container's task took most of the time.", part, all);
       }},
      {phase("queue"),
       [](const ColdStart&, double part, double all) {
         return one_phase(Bottleneck::kQueue, "It waited for its turn: see fetch.max_pulls.", part, all);
       }},
  };
  const auto* largest =
      std::max_element(std::begin(parts), std::end(parts), [](const Part& a, const Part& b) { return a.ms < b.ms; });
  Diagnosis out = largest->ms > 0 ? largest->why(record, largest->ms, whole) : Diagnosis{};
  if (out.bottleneck == Bottleneck::kNothing) out.verdict = "Nothing stands out.";
  return out;
}

}  // namespace paceline::records
