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
// Of prefetches: they have threads of their own, so that they hold up nobody who is waited for.
constexpr unsigned kBegunAhead = 8;
// In the order of turns, what somebody waits for goes first.
constexpr unpack::WorkerSlots::Rank kBackground = 1ULL << 63U;

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

LayerUnpacker::LayerUnpacker(const UnpackerServices& services, const UnpackerOptions& options)
    : services_(services),
      options_(options),
      slots_(options.cores),
      workers_("layer-unpack", kBegun),
      background_("layer-ahead", kBegunAhead),
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
    prefetches_.clear();  // They go on after the next start.
  }
  { const std::lock_guard lock(done_mutex_); }  // The last call is over.
  for (const auto wait : waits) services_.flights.cancel(wait);
  for (const auto& go : released) go();
  answer_all();
}

// ---- what is to be unpacked

void LayerUnpacker::planned(const oci::Manifest& manifest) {
  if (options_.ahead && !stop_.stop_requested()) expect_plan(manifest, nullptr);
}

std::shared_ptr<const pull::UnpackProgress> LayerUnpacker::unpack(const oci::Manifest& manifest, Unpacked done) {
  auto prefetch = std::make_shared<AwaitedUnpack>(std::move(done));
  if (!stop_.stop_requested()) expect_plan(manifest, prefetch);
  return prefetch;
}

std::set<Digest> LayerUnpacker::unneeded(const oci::Manifest& manifest) {
  std::set<Digest> blobs;
  // Otherwise the blob is here as long as the files are, or was evicted for want of room.
  if (!options_.discard_blobs) return blobs;
  const auto layers = read_plan(services_.store, manifest);
  for (const auto& layer : layers ? *layers : std::vector<PlannedLayer>()) {
    const auto files = services_.snapshotter.files_of_layer(layer.chain_id.to_string());
    if ((files && *files) || services_.kept.find(layer.chain_id)) blobs.insert(layer.blob);
  }
  return blobs;
}

void LayerUnpacker::expect_plan(const oci::Manifest& manifest, std::shared_ptr<AwaitedUnpack> prefetch) {
  {
    const std::lock_guard lock(mutex_);
    ++plans_under_way_;
    if (prefetch == nullptr) {
      held_.expect(manifest.config.digest, services_.clock.now());
    } else {
      prefetches_.push_back(prefetch);
    }
  }
  const auto proceed = [this, manifest, prefetch] {
    planner_.post([this, manifest, prefetch] { plan(manifest, prefetch); });
  };
  const auto wait = services_.flights.wait(manifest.config.digest, [proceed](const Status&) { proceed(); });
  if (!wait) return proceed();
  const std::lock_guard lock(mutex_);
  waits_.push_back(*wait);
}

void LayerUnpacker::plan(const oci::Manifest& manifest, const std::shared_ptr<AwaitedUnpack>& prefetch) {
  const auto layers = read_plan(services_.store, manifest);
  if (!layers) spdlog::debug("layers: {}: not unpacked ahead", layers.error().message);
  const bool foreground = prefetch == nullptr;
  std::vector<Job> due;
  std::vector<Job> to_keep;
  std::vector<Job> all;
  {
    const std::lock_guard lock(mutex_);
    if (--plans_under_way_ == 0) waits_.clear();
    for (const auto& layer : layers ? *layers : std::vector<PlannedLayer>()) {
      const Job below = all.empty() ? nullptr : all.back();
      all.push_back(job_for(layer, below, foreground, due));
      if (!foreground && want_kept(*all.back())) to_keep.push_back(all.back());
    }
    if (foreground) {
      held_.planned(manifest.config.digest, all);
    } else {
      prefetch->planned(all, layers ? Status() : fail(layers.error()));
    }
  }
  for (const Job& job : due) (foreground ? workers_ : background_).post([this, job] { work(job); });
  for (const Job& job : to_keep) {
    background_.post([this, job] {
      resolve(job, {});
      answer_all();
    });
  }
  answer_all();
}

LayerUnpacker::Job LayerUnpacker::job_for(const PlannedLayer& layer, const Job& below, bool foreground,
                                          std::vector<Job>& due) {
  auto& job = jobs_[layer.chain_id.to_string()];
  const auto rank = next_rank_++ + (foreground ? 0 : kBackground);
  // What was taken may have been removed since, and what was kept, dropped: the new job looks.
  if (job == nullptr || job->state == State::kTaken || job->state == State::kFailed ||
      (job->state == State::kReady && job->kept && !services_.kept.find(layer.chain_id))) {
    job = std::make_shared<LayerJob>(layer, below, rank);
    due.push_back(job);
  } else if (foreground && job->rank >= kBackground) {
    job->rank = rank;
    if (!job->begun) due.push_back(job);
  }
  return job;
}

bool LayerUnpacker::want_kept(LayerJob& job) {
  job.keep = true;
  if (job.state != State::kReady || job.kept) return false;
  job.outcome = {};
  job.state = State::kFinishing;
  return true;
}

// ---- a layer's way

void LayerUnpacker::work(const Job& job) {
  if (job->begun.exchange(true)) return;  // Somebody who waits for it has had it begun.
  job->started_at = services_.clock.now();
  const Status outcome = unpack(*job);
  if (!outcome || job->found || job->kept) {
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
  if (auto looked = find_kept(job); !looked || job.kept) return looked;
  if (auto room = check_room(); !room) return room;
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

Status LayerUnpacker::find_kept(LayerJob& job) {
  const auto layer = services_.kept.find(job.layer.chain_id);
  if (!layer) return {};
  auto folder = open_file(layer->files, O_RDONLY | O_DIRECTORY);
  if (!folder) return {};  // Taken or dropped just now.
  job.path = layer->files;
  job.folder = std::move(*folder);
  job.usage = layer->usage;
  job.kept = true;
  return {};
}

Status LayerUnpacker::check_room() {
  auto room = services_.folders.check_room();
  while (!room && services_.kept.evict_oldest()) room = services_.folders.check_room();
  return room;
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
  const auto is_to_be_kept = [&] { return outcome && job->outcome && job->keep && !job->kept && !job->found; };
  const bool was_here = job->found || job->kept;
  bool is_new = true;  // Or it was on offer already, and has only been moved to the kept ones.
  for (;;) {
    if (is_to_be_kept()) keep(*job);
    const std::lock_guard lock(mutex_);
    if (is_to_be_kept()) continue;  // A prefetch has come to want it.
    if (!outcome) job->outcome = outcome;
    job->state = !outcome ? State::kFailed : job->found ? State::kTaken : State::kReady;
    is_new = job->resolved_at == TimePoint();
    job->resolved_at = services_.clock.now();
    break;
  }
  if (!is_new) return;
  const std::string name = job->layer.chain_id.to_string();
  if (outcome) {
    if (!was_here && services_.records != nullptr) {
      services_.records->layer_unpacked(job->layer.blob, job->started_at, job->resolved_at);
    }
    spdlog::debug("layer {} of blob {}: {}", name, job->layer.blob.to_string(), was_here ? "here already" : "unpacked");
    return;
  }
  const auto level = outcome.error().code == Code::kCancelled ? spdlog::level::debug : spdlog::level::warn;
  spdlog::log(level, "layer {} of blob {}: {}; containerd unpacks it itself", name, job->layer.blob.to_string(),
              outcome.error().message);
  if (job->path.empty()) return;
  remover_.post([this, path = job->path] { services_.folders.remove(path); });
}

void LayerUnpacker::keep(LayerJob& job) {
  const auto place = services_.kept.put(job.layer.chain_id, job.layer.blob, job.path, *job.usage);
  if (place) {
    job.path = *place;
    job.kept = true;
  } else {
    job.outcome = fail(place.error().context("its files are not kept"));
  }
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
  std::vector<std::shared_ptr<AwaitedUnpack>> over;
  {
    const std::lock_guard lock(mutex_);
    verdicts = judge_requests();
    released = held_.release(services_.clock.now());
    std::erase_if(prefetches_, [&](const auto& prefetch) {
      if (!prefetch->settle()) return false;
      over.push_back(prefetch);
      return true;
    });
  }
  for (auto& verdict : verdicts) verdict.answer(std::move(verdict.layer));
  for (const auto& go : released) go();
  for (const auto& prefetch : over) {
    const std::lock_guard lock(done_mutex_);
    if (!stop_.stop_requested()) prefetch->end();
  }
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
    if (auto kept = take_kept(request.chain_id)) return Verdict{std::move(request.answer), std::move(kept)};
    // containerd may have read the config a moment earlier than the plan was made.
    if (plans_under_way_ > 0) return std::nullopt;
    return nothing();
  }
  LayerJob& job = *it->second;
  held_.asked(job);
  if (!job.resolved()) return std::nullopt;
  if (job.state != State::kReady) return nothing();
  return give(request, job);
}

LayerUnpacker::Verdict LayerUnpacker::give(Request& request, LayerJob& job) {
  job.state = State::kTaken;
  // Only hidden, unpinned blobs go: what containerd has a record of must stay.
  if (options_.discard_blobs) {
    remover_.post([this, blob = job.layer.blob] { (void)services_.store.evict(blob, store::Eviction::kUnpacked); });
  }
  if (job.kept) return {std::move(request.answer), take_kept(request.chain_id)};
  return {std::move(request.answer), snapshots::UnpackedLayer{job.path, job.usage}};
}

std::optional<snapshots::UnpackedLayer> LayerUnpacker::take_kept(const std::string& text) {
  const auto chain_id = Digest::parse(text);
  if (!chain_id) return std::nullopt;
  auto layer = services_.kept.take(*chain_id);
  if (layer) remover_.post([this, chain_id = *chain_id] { services_.kept.forget(chain_id); });
  return layer;
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
    if (job->state != State::kReady || job->kept) continue;
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
