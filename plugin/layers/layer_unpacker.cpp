#include "plugin/layers/layer_unpacker.h"

#include <algorithm>
#include <future>
#include <utility>

#include "plugin/base/log.h"
#include "plugin/layers/plan_reader.h"

namespace paceline::layers {
namespace {

using namespace std::chrono_literals;
using State = LayerJob::State;

// The differ's threads wait for a layer that is being unpacked; to unpack it a second time would take longer.
constexpr Duration kApplyPatience = 1min;
// As long as the store keeps a foreground pull's blobs for containerd: by then it has asked, or will not.
constexpr Duration kKeep = 10min;
constexpr Duration kSweep = 1s;
// Layers that may have begun. Most wait for bytes; no image has many more, and a thread that waits costs little.
constexpr unsigned kBegun = 32;
// Of prefetches: they have threads of their own, so that they hold up nobody who is waited for.
constexpr unsigned kBegunAhead = 8;

}  // namespace

LayerUnpacker::LayerUnpacker(const UnpackerServices& services, const UnpackerOptions& options)
    : services_(services),
      options_(options),
      maker_({services.store, services.flights, services.snapshotter, services.folders, services.kept}, options.cores,
             stop_.get_token()),
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

void LayerUnpacker::planned(const Digest& digest, const oci::Manifest& manifest) {
  if (!options_.ahead || stop_.stop_requested()) return;
  std::optional<ExpectedImages::Image> begun;
  {
    const std::lock_guard lock(mutex_);
    expected_.expect(digest, manifest, services_.clock.now());
    if (clients_apply_) begun = expected_.take(digest);
    if (begun) note_plan(*begun);
  }
  if (begun) plan_soon(begun->manifest, {.prefetch = nullptr, .in_turn = true});
}

std::shared_ptr<const pull::UnpackProgress> LayerUnpacker::unpack(const oci::Manifest& manifest, Unpacked done) {
  auto prefetch = std::make_shared<AwaitedUnpack>(std::move(done));
  if (stop_.stop_requested()) return prefetch;
  {
    const std::lock_guard lock(mutex_);
    ++plans_under_way_;
    prefetches_.push_back(prefetch);
  }
  plan_soon(manifest, {.prefetch = prefetch});
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

void LayerUnpacker::note_plan(const ExpectedImages::Image& image) {
  ++plans_under_way_;
  held_.expect(image.manifest.config.digest, image.readers, services_.clock.now());
}

void LayerUnpacker::plan_soon(const oci::Manifest& manifest, const Wish& wish) {
  const auto proceed = [this, manifest, wish] { planner_.post([this, manifest, wish] { plan(manifest, wish); }); };
  const auto wait = services_.flights.wait(manifest.config.digest, [proceed](const Status&) { proceed(); });
  if (!wait) return proceed();
  const std::lock_guard lock(mutex_);
  waits_.push_back(*wait);
}

void LayerUnpacker::plan_is_over() {
  if (--plans_under_way_ == 0) waits_.clear();
}

void LayerUnpacker::look_for(const std::string& chain_id, const std::vector<oci::Manifest>& images) {
  const auto has_layer = [&](const oci::Manifest& manifest) {
    const auto layers = read_plan(services_.store, manifest);
    return layers && std::ranges::any_of(
                         *layers, [&](const PlannedLayer& layer) { return layer.chain_id.to_string() == chain_id; });
  };
  const auto found = std::ranges::find_if(images, has_layer);
  std::optional<ExpectedImages::Image> wanted;
  {
    const std::lock_guard lock(mutex_);
    // Unless a plan has come in between.
    if (jobs_.find(chain_id) == nullptr && found != images.end()) wanted = expected_.take(found->config.digest);
    if (wanted) note_plan(*wanted);
    plan_is_over();
  }
  if (wanted) plan_soon(wanted->manifest, {.prefetch = nullptr, .in_turn = true});
  answer_all();
}

void LayerUnpacker::plan(const oci::Manifest& manifest, const Wish& wish) {
  const auto layers = read_plan(services_.store, manifest);
  if (!layers) spdlog::debug("layers: {}: not unpacked ahead", layers.error().message);
  const bool foreground = wish.prefetch == nullptr;
  JobTable::Image image;
  std::vector<Job> to_keep;
  {
    const std::lock_guard lock(mutex_);
    plan_is_over();
    const auto order = wish.in_turn ? JobTable::Order::kBottomFirst : JobTable::Order::kLargestFirst;
    if (layers) image = jobs_.add(*layers, foreground, order, services_.kept);
    if (foreground) {
      held_.planned(manifest.config.digest, image.all);
    } else {
      std::ranges::copy_if(image.all, std::back_inserter(to_keep), [](const Job& job) { return want_kept(*job); });
      wish.prefetch->planned(image.all, layers ? Status() : fail(layers.error()));
    }
  }
  for (const Job& job : image.due) (foreground ? workers_ : background_).post([this, job] { work(job); });
  for (const Job& job : to_keep) {
    // Not behind downloads of prefetches: whoever wants a layer that is being moved, or one above it, waits for that.
    workers_.post([this, job] {
      resolve(job, {});
      finish_what_can_be();  // Layers above may have waited for it.
      answer_all();
    });
  }
  answer_all();
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
  const Status outcome = maker_.make(*job, prefetched_with(*job));
  if (!outcome || job->found || job->kept) {
    resolve(job, outcome);
  } else {
    const std::lock_guard lock(mutex_);
    job->state = State::kUnpacked;
  }
  finish_what_can_be();
  answer_all();
}

void LayerUnpacker::finish_what_can_be() {
  for (;;) {
    std::optional<JobTable::ToFinish> next;
    {
      const std::lock_guard lock(mutex_);
      // With the layers below, as they are now: a moment later one may be on its way to the kept ones.
      next = jobs_.next_to_finish();
      if (!next) return;
      next->job->state = State::kFinishing;
    }
    resolve(next->job, next->lowers ? finish(*next->job, *next->lowers) : fail(next->lowers.error()));
  }
}

Status LayerUnpacker::finish(LayerJob& job, const std::vector<LowerLayer>& lowers) {
  if (auto done = maker_.finish(job, lowers); !done) return done;
  // Nothing keeps the files below: evicted or collected meanwhile, they would have looked like a layer that has less.
  for (const auto& lower : lowers) {
    const bool whole = maker_.is_whole(lower);
    const std::lock_guard lock(mutex_);
    if (lower.job->applied) {
      job.rests_on_applied = true;
    } else if (!whole) {
      return fail(Code::kAborted,
                  "the files of layer " + lower.job->layer.chain_id.to_string() + " below it were removed meanwhile");
    }
  }
  return {};
}

std::set<Digest> LayerUnpacker::prefetched_with(const LayerJob& job) {
  std::set<Digest> layers;
  const std::lock_guard lock(mutex_);
  for (const auto& prefetch : prefetches_) layers.merge(prefetch->layers_with(job));
  return layers;
}

void LayerUnpacker::resolve(const Job& job, const Status& outcome) {
  const auto is_to_be_kept = [&] { return outcome && job->outcome && job->keep && !job->kept && !job->found; };
  const bool was_here = job->found || job->kept;
  bool is_new = true;  // Or it was on offer already, and has only been moved to the kept ones.
  for (;;) {
    if (is_to_be_kept()) maker_.keep(*job, prefetched_with(*job));
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
      services_.records->layer_unpacked({job->layer.blob, job->started_at, job->resolved_at, job->bytes, job->entries,
                                         job->inflate_cpu, job->write_cpu});
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

// ---- who asks for layers

void LayerUnpacker::request(const std::string& chain_id, TimePoint deadline, Answer answer) {
  ask({chain_id, deadline, std::move(answer), nullptr});
}

void LayerUnpacker::ask(Request request) {
  std::vector<oci::Manifest> expected;
  const std::string chain_id = request.chain_id;
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(request));
    new_request_ = true;
    if (jobs_.find(chain_id) == nullptr && !stop_.stop_requested()) expected = expected_.all();
    if (!expected.empty()) ++plans_under_way_;
  }
  if (!expected.empty()) planner_.post([=, this] { look_for(chain_id, expected); });
  answer_all();
  time_.notify_all();
}

bool LayerUnpacker::hold(const Digest& blob, const std::string& reader, std::function<void()> go) {
  std::optional<ExpectedImages::Image> begun;
  bool held = false;
  {
    const std::lock_guard lock(mutex_);
    if (stop_.stop_requested()) return false;
    if (expected_.read(blob, reader) && !held_.is_stranger(reader)) begun = expected_.take(blob);
    if (begun) note_plan(*begun);
    held = !reader.empty() && held_.hold(blob, reader, go, services_.clock.now());
  }
  if (begun) plan_soon(begun->manifest, {});
  return held;
}

std::optional<ReadyLayer> LayerUnpacker::take(const Digest& blob, const std::vector<int>& lowers, int upper) {
  if (!services_.folders.is_beside(upper)) return std::nullopt;
  Job job;
  {
    const std::lock_guard lock(mutex_);
    job = jobs_.find_on(blob, lowers);
    if (job == nullptr && expected_.has_layer(blob)) clients_apply_ = true;  // From the next pull on.
  }
  if (job == nullptr) return std::nullopt;
  std::promise<std::optional<snapshots::UnpackedLayer>> promise;
  ask({job->layer.chain_id.to_string(), services_.clock.now() + kApplyPatience,
       [&promise](std::optional<snapshots::UnpackedLayer> layer) { promise.set_value(std::move(layer)); }, job});
  const auto layer = promise.get_future().get();
  if (!layer) return std::nullopt;
  return ReadyLayer{layer->files, job->layer.diff_id, job->bytes, layer->taken};
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
  const Job job = jobs_.find(request.chain_id);
  if (job == nullptr) {
    if (auto kept = take_kept(request.chain_id)) return Verdict{std::move(request.answer), std::move(kept)};
    // containerd may have read the config a moment earlier than the plan was made.
    if (plans_under_way_ > 0) return std::nullopt;
    return nothing();
  }
  held_.asked(*job);
  if (!job->resolved()) return std::nullopt;
  if (job->state != State::kReady || (job->rests_on_applied && request.on != job)) return nothing();
  return give(request, *job);
}

LayerUnpacker::Verdict LayerUnpacker::give(Request& request, LayerJob& job) {
  auto layer = job.kept ? take_kept(request.chain_id) : snapshots::UnpackedLayer{job.path, job.usage};
  job.state = layer ? State::kTaken : State::kFailed;  // Or evicted just now.
  job.applied = layer && request.on != nullptr;
  // Only hidden, unpinned blobs go: what containerd has a record of must stay.
  if (layer && options_.discard_blobs) {
    layer->taken = [this, blob = job.layer.blob] {
      remover_.post([this, blob] { (void)services_.store.evict(blob, store::Eviction::kUnpacked); });
    };
  }
  return {std::move(request.answer), std::move(layer)};
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
    expected_.forget_old(services_.clock.now());
    expired = jobs_.take_expired(services_.clock.now() - kKeep);
    std::erase_if(expired, [](const Job& job) { return job->state != State::kReady || job->kept; });
    if (!expired.empty()) clients_apply_ = false;
  }
  for (const Job& job : expired) {
    spdlog::debug("layer {}: nobody asked for it", job->layer.chain_id.to_string());
    remover_.post([this, path = job->path] { services_.folders.remove(path); });
  }
}

}  // namespace paceline::layers
