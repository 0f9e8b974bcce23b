#include "plugin/layers/layer_unpacker.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "plugin/base/files.h"
#include "plugin/base/log.h"
#include "plugin/layers/growing_source.h"
#include "plugin/layers/plan_reader.h"
#include "plugin/snapshots/disk_usage.h"
#include "plugin/unpack/lower_layers.h"
#include "plugin/unpack/unpack.h"

namespace paceline::layers {
namespace {

using namespace std::chrono_literals;
using State = LayerJob::State;

// As long as the store keeps a foreground pull's blobs for containerd: by then it has asked, or will not.
constexpr Duration kKeep = 10min;
constexpr Duration kSweep = 1s;
constexpr std::uint64_t kRoomStep = 16U << 20U;
// Layers that may have begun. Most wait for bytes; no image has many more, and a thread that waits costs little.
constexpr unsigned kBegun = 32;

/// Counts the bytes, and looks from time to time whether the disk has room for what they become.
class WatchedSource final : public unpack::LayerSource {
 public:
  WatchedSource(unpack::LayerSource& source, const LayerFolders& folders, LayerJob& job)
      : source_(source), folders_(folders), job_(job) {}
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer) override {
    if (offset >= next_check_) {
      if (auto room = folders_.check_room(); !room) return fail(room.error());
      next_check_ = offset + kRoomStep;
    }
    auto count = source_.read(offset, buffer);
    if (count) job_.read_bytes += *count;
    return count;
  }
  [[nodiscard]] bool is_ready(std::uint64_t offset) const override { return source_.is_ready(offset); }

 private:
  unpack::LayerSource& source_;
  const LayerFolders& folders_;
  LayerJob& job_;
  std::uint64_t next_check_ = 0;
};

}  // namespace

LayerUnpacker::LayerUnpacker(const UnpackerServices& services, unsigned cores)
    : services_(services),
      slots_(cores),
      workers_("layer-unpack", kBegun),
      timer_([this](const std::stop_token& stop) { keep_time(stop); }) {}

LayerUnpacker::~LayerUnpacker() { stop(); }

void LayerUnpacker::stop() {
  stop_.request_stop();
  std::vector<pull::WaitId> waits;
  std::vector<HeldReads::Go> released;
  {
    const std::lock_guard lock(mutex_);
    waits.swap(waits_);
    released = held_.release_all();
  }
  for (const auto wait : waits) services_.flights.cancel(wait);
  for (const auto& go : released) go();
  answer_all();
}

// ---- what is to be unpacked

void LayerUnpacker::planned(const oci::Manifest& manifest) {
  if (stop_.stop_requested()) return;
  {
    const std::lock_guard lock(mutex_);
    ++plans_under_way_;
    held_.expect(manifest.config.digest, services_.clock.now());
  }
  const auto proceed = [this, manifest] { planner_.post([this, manifest] { plan(manifest); }); };
  const auto wait = services_.flights.wait(manifest.config.digest, [proceed](const Status&) { proceed(); });
  if (!wait) return proceed();
  const std::lock_guard lock(mutex_);
  waits_.push_back(*wait);
}

void LayerUnpacker::plan(const oci::Manifest& manifest) {
  const auto layers = read_plan(services_.store, manifest);
  if (!layers) spdlog::debug("layers: {}: not unpacked ahead", layers.error().message);
  std::vector<Job> fresh;
  std::vector<Job> all;
  {
    const std::lock_guard lock(mutex_);
    if (--plans_under_way_ == 0) waits_.clear();
    Job below;
    for (const auto& layer : layers ? *layers : std::vector<PlannedLayer>()) {
      auto& job = jobs_[layer.chain_id.to_string()];
      // One that was taken may have been removed since: the new job looks.
      if (job == nullptr || job->state == State::kTaken || job->state == State::kFailed) {
        job = std::make_shared<LayerJob>(layer, below, next_rank_++);
        fresh.push_back(job);
      }
      below = job;
      all.push_back(job);
    }
    held_.planned(manifest.config.digest, all);
  }
  for (const Job& job : fresh) workers_.post([this, job] { work(job); });
  answer_all();
}

// ---- a layer's way

void LayerUnpacker::work(const Job& job) {
  const Status outcome = unpack(*job);
  if (!outcome || job->found) {
    resolve(job, outcome);
  } else {
    const std::lock_guard lock(mutex_);
    job->state = State::kUnpacked;
  }
  finish_what_can_be();
  answer_all();
}

Status LayerUnpacker::unpack(LayerJob& job) {
  if (stop_.stop_requested()) return fail(Code::kCancelled, "the daemon is stopping");
  if (auto looked = find_in_snapshotter(job); !looked || job.found) return looked;
  if (auto room = services_.folders.check_room(); !room) return room;
  auto source = GrowingSource::open(services_.store, services_.flights, job.layer.blob, stop_.get_token());
  if (!source) return fail(source.error());
  auto folder = services_.folders.make();
  if (!folder) return fail(folder.error());
  job.path = std::move(folder->path);
  job.folder = std::move(folder->fd);

  unpack::Options options;
  options.bottom = job.below == nullptr;
  options.slots = &slots_;
  options.rank = &job.rank;
  WatchedSource watched(**source, services_.folders, job);
  auto layer = unpack::unpack_layer(watched, job.layer.media_type, job.layer.diff_id, job.folder.get(), options);
  if (!layer) return fail(layer.error());
  job.unfinished = std::move(layer->unfinished);
  return (*source)->wait_landed();
}

Status LayerUnpacker::find_in_snapshotter(LayerJob& job) {
  const auto files = services_.snapshotter.files_of_layer(job.layer.chain_id.to_string());
  if (!files) return fail(files.error());
  if (!*files) return {};
  auto folder = open_file(**files, O_RDONLY | O_DIRECTORY);
  if (!folder) return {};  // Removed just now.
  job.folder = std::move(*folder);
  job.found = true;
  return {};
}

void LayerUnpacker::finish_what_can_be() {
  for (;;) {
    Job job;
    {
      const std::lock_guard lock(mutex_);
      job = next_to_finish();
      if (job == nullptr) return;
      job->state = State::kFinishing;
    }
    resolve(job, finish(*job));
  }
}

LayerUnpacker::Job LayerUnpacker::next_to_finish() const {
  for (const auto& [chain_id, job] : jobs_) {
    if (job->state != State::kUnpacked) continue;
    bool waits = false;
    if (!job->unfinished.empty()) {
      for (const auto* lower = job->below.get(); lower != nullptr; lower = lower->below.get()) {
        waits = waits || !lower->resolved();
      }
    }
    if (!waits) return job;
  }
  return nullptr;
}

Status LayerUnpacker::finish(LayerJob& job) {
  std::vector<int> lowers;
  if (!job.unfinished.empty()) {
    const std::lock_guard lock(mutex_);
    for (const auto* lower = job.below.get(); lower != nullptr; lower = lower->below.get()) {
      if (!lower->has_files()) return fail(Code::kCancelled, "a layer below it could not be unpacked");
      lowers.push_back(lower->folder.get());
    }
  }
  if (auto done = unpack::finish_layer(job.folder.get(), job.unfinished, lowers); !done) return done;
  // Counted here, because containerd waits while the snapshotter does it.
  const auto usage = snapshots::disk_usage(job.path);
  if (!usage) return fail(usage.error());
  job.usage = *usage;
  return {};
}

void LayerUnpacker::resolve(const Job& job, const Status& outcome) {
  {
    const std::lock_guard lock(mutex_);
    job->state = !outcome ? State::kFailed : job->found ? State::kTaken : State::kReady;
    job->resolved_at = services_.clock.now();
  }
  const std::string name = job->layer.chain_id.to_string();
  if (outcome) {
    spdlog::debug("layer {} of blob {}: {}", name, job->layer.blob.to_string(),
                  job->found ? "here already" : "unpacked");
    return;
  }
  const auto level = outcome.error().code == Code::kCancelled ? spdlog::level::debug : spdlog::level::warn;
  spdlog::log(level, "layer {} of blob {}: {}; containerd unpacks it itself", name, job->layer.blob.to_string(),
              outcome.error().message);
  if (job->path.empty()) return;
  remover_.post([this, path = job->path] { services_.folders.remove(path); });
}

// ---- who asks for layers

void LayerUnpacker::request(const std::string& chain_id, TimePoint deadline, Answer answer) {
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back({chain_id, deadline, std::move(answer)});
    new_request_ = true;
  }
  answer_all();
  time_.notify_all();
}

bool LayerUnpacker::hold(const Digest& config, const std::string& reader, std::function<void()> go) {
  const std::lock_guard lock(mutex_);
  return !stop_.stop_requested() && held_.hold(config, reader, go, services_.clock.now());
}

void LayerUnpacker::answer_all() {
  std::vector<Verdict> verdicts;
  std::vector<HeldReads::Go> released;
  {
    const std::lock_guard lock(mutex_);
    verdicts = judge_requests();
    released = held_.release(services_.clock.now());
  }
  for (auto& verdict : verdicts) verdict.answer(std::move(verdict.layer));
  for (const auto& go : released) go();
}

std::vector<LayerUnpacker::Verdict> LayerUnpacker::judge_requests() {
  std::vector<Verdict> verdicts;
  std::erase_if(requests_, [&](Request& request) {
    auto verdict = judge(request);
    if (verdict) verdicts.push_back(std::move(*verdict));
    return verdict.has_value();
  });
  return verdicts;
}

std::optional<LayerUnpacker::Verdict> LayerUnpacker::judge(Request& request) {
  const auto nothing = [&] { return Verdict{std::move(request.answer), std::nullopt}; };
  if (stop_.stop_requested() || services_.clock.now() >= request.deadline) return nothing();
  const auto it = jobs_.find(request.chain_id);
  if (it == jobs_.end()) {
    // containerd may have read the config a moment earlier than the plan was made.
    if (plans_under_way_ > 0) return std::nullopt;
    return nothing();
  }
  LayerJob& job = *it->second;
  held_.asked(job);
  if (!job.resolved()) return std::nullopt;
  if (job.state != State::kReady) return nothing();
  job.state = State::kTaken;
  return Verdict{std::move(request.answer), snapshots::UnpackedLayer{job.path, job.usage}};
}

void LayerUnpacker::keep_time(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      const auto now = services_.clock.now();
      Duration next = kSweep;
      for (const Request& request : requests_) next = std::clamp<Duration>(request.deadline - now, 1ms, next);
      time_.wait_for(lock, stop, next, [this] { return std::exchange(new_request_, false); });
    }
    answer_all();
    drop_expired();
  }
}

// ---- what nobody asked for

void LayerUnpacker::drop_expired() {
  std::vector<Job> expired;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [chain_id, job] : jobs_) {
      if (is_expired(*job)) expired.push_back(job);
    }
    for (const Job& job : expired) {
      jobs_.erase(job->layer.chain_id.to_string());
    }
  }
  for (const Job& job : expired) {
    if (job->state != State::kReady) continue;
    spdlog::debug("layer {}: nobody asked for it", job->layer.chain_id.to_string());
    remover_.post([this, path = job->path] { services_.folders.remove(path); });
  }
}

/// Kept as long as a layer below or above is under way: containerd comes for them in turn.
bool LayerUnpacker::is_expired(const LayerJob& job) const {
  const auto latest = services_.clock.now() - kKeep;
  for (const auto* lower = &job; lower != nullptr; lower = lower->below.get()) {
    if (!lower->resolved() || lower->resolved_at > latest) return false;
  }
  return std::none_of(jobs_.begin(), jobs_.end(), [&](const auto& entry) {
    if (entry.second->resolved()) return false;
    for (const auto* lower = entry.second->below.get(); lower != nullptr; lower = lower->below.get()) {
      if (lower == &job) return true;
    }
    return false;
  });
}

}  // namespace paceline::layers
