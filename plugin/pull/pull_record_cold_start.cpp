// PullRecord: where a pull's time went, once it is over.
#include <algorithm>
#include <thread>

#include "adaptive/path_model.h"
#include "plugin/pull/pull_record.h"
#include "plugin/records/diagnosis.h"

namespace paceline::pull {
namespace {

// The numbers of streams that operators had before: one, containerd's and Docker's three, and what the papers advise.
constexpr unsigned kPredicted[] = {1, 3, 5, 7, 9, 10};

double to_ms(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }
Duration from_ms(double ms) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(ms));
}

/// The host that brought the most a second: it is what the model describes.
const records::Host* main_host(const records::ColdStart& record) {
  const auto& hosts = record.hosts;
  const auto best = std::max_element(hosts.begin(), hosts.end(), [](const auto& a, const auto& b) {
    return a.best_bytes_per_second < b.best_bytes_per_second;
  });
  return best == hosts.end() ? nullptr : &*best;
}

void predict(records::ColdStart& record, unsigned max_streams) {
  const auto* host = main_host(record);
  if (host == nullptr || record.fetched_bytes == 0 || record.state != "done") return;
  // An epoch is seldom closed in a short pull: then the average of the whole is the best that was seen.
  const double best = std::max(host->best_bytes_per_second, record.goodput_bytes_per_second);
  adaptive::Path path;
  path.rtt_registry = path.rtt_token = path.rtt_blob = from_ms(host->rtt_ms);
  path.first_byte = from_ms(host->first_byte_ms);
  path.needs_token = record.phase_ms("token") > 0;
  path.index = record.phase_ms("manifest") > 0;
  path.redirect = record.hosts.size() > 1;
  path.warm.dns = true;
  // Without a queue the link was not full: each stream was held back by something of its own.
  if (records::per_stream_limit(record, *host)) {
    path.connection_cap = host->stream_bytes_per_second;
  } else {
    path.link_rate = best / adaptive::kWireEfficiency;
  }
  record.lower_bound_ms = 1000 * adaptive::seconds(adaptive::lower_bound(path, record.fetched_bytes, max_streams));
  // Waiting for its turn and unpacking are not the path's.
  const double on_path = record.pull_ms - record.phase_ms("queue") - record.phase_ms("unpack");
  if (record.lower_bound_ms > 0) record.ratio = on_path / record.lower_bound_ms;
  for (const unsigned streams : kPredicted) {
    record.predicted_ms[streams] =
        1000 * adaptive::seconds(adaptive::predicted_time(path, record.fetched_bytes, streams));
  }
}

TimePoint time_of(const std::atomic<Duration::rep>& time) { return TimePoint(Duration(time.load())); }

}  // namespace

double PullRecord::since_start(TimePoint time) const { return to_ms(time - started_); }

/// Each boundary that was passed ends a phase; the one that was not belongs to the phase in which the pull ended.
std::vector<records::Phase> PullRecord::phases() const {
  std::optional<TimePoint> first_byte, last_byte;
  for (const Blob& blob : blobs_) {
    if (!blob.counters || blob.counters->first_byte == 0) continue;
    // A shared blob's download may have begun before this pull did.
    const TimePoint first = std::max(time_of(blob.counters->first_byte), resolved_.value_or(started_));
    first_byte = first_byte ? std::min(*first_byte, first) : first;
    const TimePoint last = std::max(time_of(blob.counters->last_byte), first);
    last_byte = last_byte ? std::max(*last_byte, last) : last;
  }
  const bool fetches = std::any_of(blobs_.begin(), blobs_.end(), [](const Blob& blob) { return !blob.present; });

  struct Boundary {
    const char* phase;
    std::optional<TimePoint> end;
  };
  std::vector<Boundary> boundaries;
  const TimePoint queued = source == Source::kMirror ? started_ : resolving_.value_or(started_);
  if (source != Source::kMirror) {
    boundaries.push_back({"queue", resolving_ || resolved_ ? std::optional(queued) : std::nullopt});
  }
  if (documented_ || resolved_) {
    // Tokens are asked for between requests; only their sum is known, and it is taken as one phase in front.
    const TimePoint documented = documented_.value_or(resolved_.value_or(queued));
    boundaries.push_back({"token", std::min(queued + token_, documented)});
  }
  boundaries.push_back({"resolve", documented_ ? documented_ : resolved_});
  boundaries.push_back({"manifest", resolved_});
  if (fetches) {
    boundaries.push_back({"connect", first_byte});
    boundaries.push_back({"fetch", last_byte});
  }
  if (unpack_) {  // A prefetch that goes on to unpacked layers ends with them.
    TimePoint verified = resolved_.value_or(queued);
    for (const Blob& blob : blobs_) verified = std::max(verified, blob.landed_at.value_or(verified));
    boundaries.push_back({"verify", verified});
    boundaries.push_back({"unpack", std::nullopt});
  } else {
    boundaries.push_back({"verify", std::nullopt});
  }

  std::vector<records::Phase> out;
  const TimePoint end = finished_.value_or(clock_.now());
  TimePoint begin = started_;
  for (const auto& boundary : boundaries) {
    const TimePoint until = std::clamp(boundary.end.value_or(end), begin, end);
    if (until > begin) out.push_back({boundary.phase, since_start(begin), since_start(until)});
    begin = until;
    if (!boundary.end) break;
  }
  return out;
}

void PullRecord::describe_blobs(records::ColdStart& record) const {
  for (const Blob& blob : blobs_) {
    records::Layer layer;
    layer.digest = blob.descriptor.digest.to_string();
    layer.size_bytes = blob.descriptor.size;
    layer.origin = blob.present ? "present" : blob.own ? "fetched" : "shared";
    record.total_bytes += blob.descriptor.size;
    if (blob.done && blob.landed_at) layer.verified_ms = since_start(*blob.landed_at);
    if (blob.counters != nullptr) {
      const BlobCounters& counters = *blob.counters;
      if (counters.located != 0) layer.located_ms = since_start(time_of(counters.located));
      if (counters.first_byte != 0) layer.first_byte_ms = since_start(time_of(counters.first_byte));
      if (counters.last_byte != 0) layer.last_byte_ms = since_start(time_of(counters.last_byte));
      if (blob.own) {
        const std::uint64_t fetched = counters.fetched, resumed = counters.resumed;
        record.fetched_bytes += fetched;
        record.resumed_bytes += resumed;
        record.retries += counters.retries;
        record.write_ms += static_cast<double>(counters.write_ns) / 1e6;
        // A whole blob needs its size once: the rest came twice, or belonged to a piece that was wrong.
        const std::uint64_t needed = blob.descriptor.size - std::min(blob.descriptor.size, resumed);
        if (blob.done && fetched > needed) record.wasted_bytes += fetched - needed;
      }
    }
    record.layers.push_back(std::move(layer));
  }
}

void PullRecord::describe_outcome(records::ColdStart& record) const {
  const bool all_present =
      !blobs_.empty() && std::all_of(blobs_.begin(), blobs_.end(), [](const Blob& blob) { return blob.present; });
  record.state = std::string(state_name(state_));
  if (error_) record.error = std::string(code_name(error_->code));
  // One that began ahead of time stays a prefetch, also when somebody came to wait for it.
  record.source = source == Source::kPrefetch || !foreground_ ? "prefetch" : all_present ? "adopted" : "foreground";
}

records::EndedPull PullRecord::cold_start(unsigned max_streams) const {
  const std::lock_guard lock(mutex_);
  records::ColdStart record;
  record.pull_id = id;
  record.image = image.to_string();
  if (manifest_) record.manifest_digest = manifest_->to_string();
  record.platform = platform.value_or(oci::Platform::host()).to_string();
  record.registry = image.registry;
  record.policy = policy_;
  if (arm) record.arm = arm->name();
  record.started_unix_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(started_wall_.time_since_epoch()).count();
  record.pull_ms = since_start(finished_.value_or(clock_.now()));
  record.cpu_ms = to_ms(cpu_);
  record.cpus = std::thread::hardware_concurrency();
  record.phases = phases();
  describe_blobs(record);
  describe_outcome(record);
  trace->describe(record, started_);
  const double transfer_ms = record.phase_ms("connect") + record.phase_ms("fetch");
  if (transfer_ms > 0) record.goodput_bytes_per_second = 1000 * static_cast<double>(record.fetched_bytes) / transfer_ms;
  predict(record, max_streams);
  return {std::move(record), started_};
}

}  // namespace paceline::pull
