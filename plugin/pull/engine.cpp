#include "plugin/pull/engine.h"

#include <algorithm>
#include <future>

#include "plugin/base/log.h"
#include "plugin/net/url.h"

namespace paceline::pull {
namespace {

using std::chrono::milliseconds;

// Often enough for a progress display and a moving Status, rare enough to cost nothing.
constexpr Duration kBeat = milliseconds(250);
constexpr std::uint64_t kBeatsPerMemorySave = 20;
// Hashing starts when it is worth a task: about 2 ms of work.
constexpr std::uint64_t kHashStep = 4U << 20U;
// Who unpacks a blob while it grows is told of its prefix that often: about a millisecond of inflating.
constexpr std::uint64_t kPrefixStep = 1U << 20U;
// Locating blocks on token services; more than a few at once gains nothing, one slow host must not stop the others.
constexpr unsigned kLocators = 8;

unsigned hasher_threads() { return std::clamp(std::thread::hardware_concurrency(), 2U, 8U); }

}  // namespace

TransferEngine::TransferEngine(const EngineServices& services, const config::Config& config)
    : clock_(services.clock),
      network_(services.network),
      store_(services.store),
      flights_(services.flights),
      memory_(services.memory),
      config_(config),
      prefetch_caps_(config),
      locators_("pl-locate", kLocators),
      hashers_("pl-hash", hasher_threads()) {
  post([this] { network_.on_host_full([this](const std::string& host) { make_room(host); }); });
}

TransferEngine::~TransferEngine() {
  std::promise<void> stopped;
  network_.post([this, &stopped] {
    stop();
    stopped.set_value();
  });
  stopped.get_future().wait();
}

void TransferEngine::stop() {
  *alive_ = false;
  network_.on_host_full({});
  std::vector<Blob> blobs;
  for (const auto& [digest, blob] : blobs_) blobs.push_back(blob);
  for (const Blob& blob : blobs) {
    unplace(blob);
    land(blob, fail(Code::kCancelled, "the daemon is stopping"));
  }
  for (const auto& [host, path] : paths_) memory_.remember(host, path->learned(wall_seconds()));
  if (const auto saved = memory_.save(wall_seconds()); !saved) spdlog::warn("{}", saved.error().message);
}

void TransferEngine::post(std::function<void()> work) {
  network_.post([alive = alive_, work = std::move(work)] {
    if (*alive) work();
  });
}

void TransferEngine::after(Duration delay, std::function<void()> work) {
  network_.after(delay, [alive = alive_, work = std::move(work)] {
    if (*alive) work();
  });
}

adaptive::Time TransferEngine::now() const {
  return std::chrono::duration_cast<adaptive::Time>(clock_.now().time_since_epoch());
}

WallTime TransferEngine::wall() const { return clock_.wall(); }

std::int64_t TransferEngine::wall_seconds() const {
  return std::chrono::duration_cast<std::chrono::seconds>(clock_.wall().time_since_epoch()).count();
}

// ---- requests from other threads

void TransferEngine::fetch(PullKey pull, bool foreground, std::shared_ptr<registry::Repository> repository,
                           std::vector<BlobJob> jobs, PullTerms terms) {
  post([this, pull, foreground, repository = std::move(repository), jobs = std::move(jobs), terms = std::move(terms)] {
    if (foreground) foreground_.insert(pull);
    if (terms.trace != nullptr || terms.arm) terms_[pull] = terms;
    std::vector<Blob> blobs;
    for (const BlobJob& job : jobs) {
      auto blob = std::make_shared<BlobFetch>();
      blob->digest = job.digest;
      blob->size = job.size;
      blob->layer = next_layer_++;
      blob->purpose = foreground ? store::Purpose::kForeground : store::Purpose::kPrefetch;
      blob->sources = {repository};
      blob->wanted_by = {pull};
      blob->owner = pull;
      blob->counters = job.counters;
      blobs_[job.digest] = blob;
      layers_[blob->layer] = blob;
      blobs.push_back(std::move(blob));
    }
    locate(blobs);
    housekeeping();
  });
}

void TransferEngine::join(PullKey pull, bool foreground, const Digest& digest,
                          std::shared_ptr<registry::Repository> repository) {
  post([this, pull, foreground, digest, repository = std::move(repository)] {
    const auto it = blobs_.find(digest);
    if (it == blobs_.end()) return;  // Landed meanwhile; the flight table has told the pull.
    it->second->wanted_by.insert(pull);
    auto& sources = it->second->sources;
    // The same caller asks several times within a pull; to try the same again where it has failed would only take time.
    const auto is_same = [&](const auto& source) {
      return source->registry() == repository->registry() && source->repository() == repository->repository() &&
             source->access() == repository->access();
    };
    if (std::ranges::none_of(sources, is_same)) sources.push_back(repository);
    if (foreground) {
      foreground_.insert(pull);
      make_foreground(it->second->owner);
    }
  });
}

void TransferEngine::raise(const Digest& digest) {
  post([this, digest] {
    if (const auto it = blobs_.find(digest); it != blobs_.end()) make_foreground(it->second->owner);
  });
}

void TransferEngine::cancel(PullKey pull) {
  post([this, pull] {
    std::vector<Blob> wanted;
    for (const auto& [digest, blob] : blobs_) {
      if (blob->wanted_by.contains(pull)) wanted.push_back(blob);
    }
    for (const Blob& blob : wanted) leave(blob, pull);
    foreground_.erase(pull);
    terms_.erase(pull);
  });
}

void TransferEngine::reconfigure(const config::Config& config) {
  post([this, config] {
    config_ = config;
    network_.limit_connections({}, config.concurrency.max_streams);
    prefetch_caps_.reconfigure(config, now());
    resume_paused();
  });
}

std::vector<PathSnapshot> TransferEngine::paths() const {
  const std::lock_guard lock(published_mutex_);
  return published_;
}

// ---- a blob's life

void TransferEngine::leave(const Blob& blob, PullKey pull) {
  blob->wanted_by.erase(pull);
  if (blob->wanted_by.empty()) {
    abandon(blob, Error{Code::kCancelled, "cancelled"});
    return;
  }
  if (blob->owner != pull) return;
  // Somebody else still wants it: it goes on under that pull.
  const bool placed = blob->path != nullptr;
  unplace(blob);
  blob->owner = *blob->wanted_by.begin();
  if (placed) place(blob, blob->request);
}

void TransferEngine::make_foreground(PullKey pull) {
  if (!foreground_.insert(pull).second) return;
  resume_foreground();
  for (const auto& [host, path] : paths_) {
    if (path->planner(pull) == nullptr) continue;
    path->budget().reclass(pull, adaptive::PullClass::kForeground);
    yield_to_foreground(*path);
    schedule(*path);
  }
}

/// Tells the flight table how far the blob is there without a gap, once that is `step` bytes more, or all.
void TransferEngine::publish_prefix(BlobFetch& blob, std::uint64_t step) {
  const std::uint64_t prefix = blob.file->prefix();
  const bool due = prefix < blob.published_prefix || prefix == blob.size || prefix - blob.published_prefix >= step;
  if (!due || prefix == blob.published_prefix) return;
  blob.published_prefix = prefix;
  flights_.advance(blob.digest, prefix);
}

void TransferEngine::pump_hash(const Blob& blob) {
  if (blob->file == nullptr || blob->failed) return;
  publish_prefix(*blob, kPrefixStep);
  if (blob->hashing) return;
  const std::uint64_t prefix = blob->file->prefix();
  const bool complete = prefix == blob->size;
  if (!complete && prefix - blob->file->hashed() < kHashStep) return;
  blob->hashing = true;
  if (complete) blob->stage = BlobFetch::Stage::kFinishing;
  hashers_.post([this, blob, file = blob->file, complete]() mutable {
    Status status = complete ? file->finish() : file->hash_prefix();
    file.reset();  // Before the news arrives: hand-over needs the file closed.
    post([this, blob, status = std::move(status), complete] { hashed(blob, status, complete); });
  });
}

void TransferEngine::hashed(const Blob& blob, const Status& status, bool finished) {
  blob->hashing = false;
  if (blobs_.find(blob->digest) == blobs_.end()) return;
  Path* path = blob->path;
  if (finished && status) {
    unplace(blob);
    land(blob, {});
  } else if (blob->failed) {
    land(blob, fail(*blob->failed));
  } else if (!status) {
    unplace(blob);
    blob->file.reset();  // finish() has discarded a blob with a wrong digest.
    if (status.error().code == Code::kFailedPrecondition) {
      spdlog::warn("blob {} from {}: {}", blob->digest.to_string(), net::redact(blob->request.url),
                   status.error().message);
      // Pieces of several attempts: one of them may have been bad (a disk that lost what the progress file claims, a
      // broken connection's last bytes). A blob in one piece would only come the same way again.
      const bool patched = blob->counters->resumed.load() > 0 || blob->counters->retries.load() > 0;
      const bool again = patched && !std::exchange(blob->restarted, true);
      blob->counters->received = 0;
      blob->counters->resumed = 0;
      if (again) {
        locate({blob});
      } else {
        next_place(blob, status.error());
      }
    } else {
      abandon(blob, status.error());
    }
  } else {
    pump_hash(blob);
  }
  if (path != nullptr) schedule(*path);  // It may have waited for the hash.
}

void TransferEngine::abandon(const Blob& blob, const Error& why) {
  unplace(blob);
  blob->failed = why;
  // While a worker holds the blob (locating or hashing) it lands when that worker reports.
  if (!blob->hashing && blob->stage != BlobFetch::Stage::kLocating) land(blob, fail(why));
}

void TransferEngine::land(const Blob& blob, const Status& outcome) {
  if (!outcome && blob->file != nullptr) {
    if (const auto saved = blob->file->save_progress(); !saved) spdlog::warn("{}", saved.error().message);
  }
  blob->file.reset();
  blobs_.erase(blob->digest);
  layers_.erase(blob->layer);
  flights_.land(blob->digest, outcome);
}

// ---- paths and time

Path& TransferEngine::open_path(const std::string& host, const std::string& registry, PullKey pull) {
  auto& path = paths_[host];
  config::Concurrency concurrency = config::concurrency_for(config_, host, registry);
  const auto terms = terms_.find(pull);
  if (terms != terms_.end() && terms->second.arm) terms->second.arm->apply(concurrency);
  if (path == nullptr) {
    path = std::make_unique<Path>(host, concurrency, memory_.recall(host));
  } else if (path->concurrency() == concurrency) {
    return *path;
  } else if (path->busy()) {
    if (terms != terms_.end()) mark_mixed(*path, pull);  // Connections are opened ahead for no pull yet.
    return *path;                                        // Pulls under way keep the settings they began with.
  } else {
    path->configure(concurrency, wall_seconds());
  }
  network_.limit_connections(host, concurrency.max_streams);
  return *path;
}

void TransferEngine::wake(Path& path) {
  std::uint64_t bytes = 0;
  unsigned layers = 0;
  for (const auto& [digest, blob] : blobs_) {
    if (blob->path != nullptr && blob->path != &path) continue;
    bytes += blob->size - std::min(blob->size, blob->counters->received.load());
    ++layers;
  }
  const auto sample = network_.sample(path.host());
  path.wake(bytes, layers, sample, wall_seconds());
  trace_path(path, sample);
  yield_to_foreground(path);
  schedule(path);
  if (!path.ticking) {
    path.ticking = true;
    tick(path);
  }
}

void TransferEngine::tick(Path& path) {
  if (!path.busy()) {
    path.ticking = false;
    memory_.remember(path.host(), path.learned(wall_seconds()));
    return;
  }
  const auto sample = network_.sample(path.host());
  const auto again =
      held_by_a_cap(path) ? adaptive::tick_interval(path.rtt()) : path.tick(now(), sample, delivering(path));
  trace_path(path, sample);
  path.want_all();
  yield_to_foreground(path);
  schedule(path);
  after(again, [this, &path] { tick(path); });
}

void TransferEngine::housekeeping() {
  if (housekeeping_) return;
  housekeeping_ = true;
  for (const auto& [digest, blob] : blobs_) {
    const std::uint64_t received = blob->counters->received.load();
    flights_.progress(digest, std::min(received, blob->size));
    if (blob->file == nullptr || blob->stage == BlobFetch::Stage::kFinishing) continue;
    publish_prefix(*blob, 1);
    // After a crash at most a beat's bytes are fetched again; a beat touches no more blobs than there are streams.
    if (received != blob->saved_at) {
      blob->saved_at = received;
      if (const auto saved = blob->file->save_progress(); !saved) spdlog::warn("{}", saved.error().message);
    }
  }
  std::vector<PathSnapshot> snapshots;
  for (const auto& [host, path] : paths_) snapshots.push_back(path->snapshot(now()));
  {
    const std::lock_guard lock(published_mutex_);
    published_ = std::move(snapshots);
  }
  if (++beats_ % kBeatsPerMemorySave == 0 || blobs_.empty()) {
    hashers_.post([this, seconds = wall_seconds()] {
      if (const auto saved = memory_.save(seconds); !saved) spdlog::warn("{}", saved.error().message);
    });
  }
  const bool busy = !blobs_.empty() ||
                    std::any_of(paths_.begin(), paths_.end(), [](const auto& entry) { return entry.second->ticking; });
  if (!busy) {
    housekeeping_ = false;
    return;
  }
  after(kBeat, [this] {
    housekeeping_ = false;
    housekeeping();
  });
}

}  // namespace paceline::pull
