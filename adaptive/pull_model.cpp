#include "adaptive/pull_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace paceline::adaptive {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// docs/controller.md: where a pull starts, and how large its ranges are.
constexpr double kNearStreams = 6, kMostAtFirst = 16;
constexpr double kNearRtt = 0.020;
constexpr double kLeastStreamBytes = 256e3;
constexpr double kRangeShare = 1.5;
constexpr double kLeastRange = 128e3, kMostRange = 32e6, kMostRangeSeconds = 3;
/// Of the transfer: fine enough that halving it changes no prediction by more than a hundredth of itself.
constexpr std::size_t kSteps = 256;

struct Job {
  double first = 0, end = 0;  // Compressed bytes of the image before it, and with it.
  double work = 0;            // CPU seconds in all …
  double done = 0;            // … and so far.
  double helped = 1;          // Times as fast with a core that inflates ahead.
  double unpacked_at = 0;

  /// Work that can be done with what has come of the image without a gap.
  [[nodiscard]] double ready(double prefix) const {
    if (prefix >= end) return work - done;
    if (prefix <= first || end <= first) return 0;
    return std::max(0.0, work * (prefix - first) / (end - first) - done);
  }
  [[nodiscard]] bool is_done() const { return work - done <= 1e-12 * std::max(1.0, work); }
};

double sum_bytes(const std::vector<PullLayer>& layers) {
  double bytes = 0;
  for (const PullLayer& layer : layers) bytes += static_cast<double>(layer.compressed_bytes);
  return bytes;
}

/// A rate's reciprocal, where 0 means no limit.
double seconds_a_byte(double rate) { return rate > 0 ? 1 / rate : 0; }

std::vector<Job> make_jobs(const std::vector<PullLayer>& layers, const NodeCosts& costs) {
  std::vector<Job> jobs;
  double at = 0;
  for (const PullLayer& layer : layers) {
    Job job;
    job.first = at;
    job.end = at += static_cast<double>(layer.compressed_bytes);
    const auto bytes = static_cast<double>(layer.uncompressed_bytes);
    const double inflate = costs.inflate_byte * bytes;
    const double write =
        costs.unpack_layer + costs.unpack_byte * bytes + costs.unpack_file * static_cast<double>(layer.files);
    job.work = inflate + write;
    job.helped = std::max(inflate, write) > 0 ? job.work / std::max(inflate, write) : 1;
    jobs.push_back(job);
  }
  return jobs;
}

/// Hands out `budget` CPU seconds of `step` seconds, bottom layers first: a core each, then a second one to inflate.
void work_for(std::vector<Job>& jobs, double prefix, double step, double budget, double now) {
  for (const bool helping : {false, true}) {
    for (Job& job : jobs) {
      if (budget <= 0) return;
      const double most = helping ? (job.helped - 1) * step : step;
      const double done = std::min({job.ready(prefix), most, budget});
      if (done <= 0) continue;
      job.done += done;
      budget -= done;
      if (job.is_done()) job.unpacked_at = now;
    }
  }
}

/// All bytes are here: from `now` until the last layer is unpacked.
double drain(std::vector<Job>& jobs, double cores, double now) {
  for (;;) {
    std::vector<double> speeds(jobs.size(), 0);
    double left = cores;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      if (jobs[i].is_done()) continue;
      speeds[i] = std::min(1.0, left);
      left -= speeds[i];
    }
    for (std::size_t i = 0; i < jobs.size() && left > 0; ++i) {
      if (jobs[i].is_done()) continue;
      const double more = std::min(jobs[i].helped - 1, left);
      speeds[i] += more;
      left -= more;
    }
    double step = kInfinity;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      if (speeds[i] > 0) step = std::min(step, (jobs[i].work - jobs[i].done) / speeds[i]);
    }
    if (step == kInfinity) return now;
    now += step;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      if (speeds[i] <= 0) continue;
      jobs[i].done = std::min(jobs[i].work, jobs[i].done + speeds[i] * step);
      if (jobs[i].is_done()) {
        jobs[i].done = jobs[i].work;
        jobs[i].unpacked_at = now;
      }
    }
  }
}

/// The transfer as a curve: when the first so many parts of all bytes have come, from its start.
struct Curve {
  std::array<double, kSteps + 1> at{};
};

Curve make_curve(const Path& path, double bytes, unsigned streams, const NodeCosts& costs) {
  Curve curve;
  const double ramp = bytes > 0 ? costs.ramp * seconds(path.rtt_blob) : 0;
  for (std::size_t i = 1; i <= kSteps; ++i) {
    const double part = static_cast<double>(i) / kSteps;
    const double time = seconds(data_time(path, static_cast<std::uint64_t>(bytes * part), streams));
    // The streams are fewer and slower while they ramp up: what that costs is spread over the transfer's first half.
    curve.at[i] = std::max(curve.at[i - 1], time + ramp * std::min(1.0, 2 * part));
  }
  return curve;
}

/// What of `come` bytes lies before the first gap: of the ranges under way, half has come on average.
double without_gap(double come, double bytes, double streams, double stream_rate) {
  if (come >= bytes) return bytes;
  const double longest = std::max(kLeastRange, std::min(kMostRange, kMostRangeSeconds * stream_rate));
  const double range = std::clamp((bytes - come) / (kRangeShare * streams), kLeastRange, longest);
  return std::max(0.0, come - (streams - 1) * range / 2);
}

}  // namespace

Path effective_path(Path path) {
  const double lossy = loss_limited_rate(path.rtt_blob, path.loss);
  if (std::isfinite(lossy) && (path.connection_cap <= 0 || lossy < path.connection_cap)) path.connection_cap = lossy;
  path.loss = 0;
  return path;
}

unsigned expected_streams(const Path& path, std::uint64_t bytes, const PullOptions& options) {
  if (options.fixed_streams > 0) return options.fixed_streams;
  const double most = std::max(1U, options.max_streams);
  // Where each connection has a limit of its own the controller goes on to as many as it may.
  const double by_rtt = kNearStreams * std::sqrt(std::max(1.0, seconds(path.rtt_blob) / kNearRtt));
  const double wanted = path.connection_cap > 0 ? most : std::min(by_rtt, kMostAtFirst);
  const double fed = std::max(1.0, std::floor(static_cast<double>(bytes) / kLeastStreamBytes));
  return static_cast<unsigned>(std::max(1.0, std::min({std::round(wanted), most, fed})));
}

PullPrediction predict_pull(const std::vector<PullLayer>& layers, const Path& seen, const NodeCosts& costs,
                            const PullOptions& options) {
  PullPrediction out;
  const double cores = std::max(0.05, costs.cores);
  const double bytes = sum_bytes(layers);
  Path path = effective_path(seen);
  // What the cores can verify bounds what the path can bring.
  double link = path.link_rate > 0 ? path.link_rate * std::clamp(costs.fill, 0.05, 1.5) : 0;
  if (costs.verify_byte > 0) {
    const double verified = cores / costs.verify_byte / kWireEfficiency;
    link = link > 0 ? std::min(link, verified) : verified;
  }
  path.link_rate = link;
  const unsigned streams = expected_streams(path, static_cast<std::uint64_t>(bytes), options);
  const Curve curve = make_curve(path, bytes, streams, costs);

  out.setup = costs.start + costs.setup * seconds(setup_time(seen));
  out.fetch = curve.at[kSteps];
  out.verify = costs.settle + costs.settle_byte * bytes;
  const double stored = out.setup + out.fetch + out.verify;

  double goodput = link > 0 ? link * kWireEfficiency : kInfinity;
  if (path.connection_cap > 0) goodput = std::min(goodput, streams * path.connection_cap);
  std::vector<Job> jobs = make_jobs(layers, costs);
  double unpacked = stored;
  if (options.unpack && !jobs.empty()) {
    for (std::size_t i = 1; i <= kSteps; ++i) {
      const double step = curve.at[i] - curve.at[i - 1];
      const double come = bytes * static_cast<double>(i) / kSteps;
      const double prefix = without_gap(come, bytes, streams, std::isfinite(goodput) ? goodput / streams : 0);
      work_for(jobs, prefix, step, cores * step - costs.verify_byte * bytes / kSteps, out.setup + curve.at[i]);
    }
    unpacked = std::max(stored, drain(jobs, cores, out.setup + out.fetch));
  }
  out.unpack = unpacked - stored;

  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto compressed = static_cast<double>(layers[i].compressed_bytes);
    const auto whole = static_cast<double>(layers[i].uncompressed_bytes);
    LayerPrediction layer;
    layer.fetch = compressed * seconds_a_byte(std::isfinite(goodput) ? goodput : 0);
    layer.verify = costs.verify_byte * compressed;
    layer.inflate = costs.inflate_byte * whole;
    layer.unpack = jobs[i].work - layer.inflate;
    const auto last = bytes > 0 ? static_cast<std::size_t>(std::ceil(jobs[i].end / bytes * kSteps)) : kSteps;
    layer.arrived = out.setup + curve.at[std::min(last, kSteps)];
    if (options.unpack) layer.unpacked = std::max(jobs[i].unpacked_at, layer.arrived);
    out.layers.push_back(layer);
  }
  return out;
}

}  // namespace paceline::adaptive
