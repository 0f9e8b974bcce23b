#include "plugin/pull/pull_manager.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <set>
#include <unordered_map>

#include "plugin/base/files.h"
#include "plugin/base/log.h"
#include "plugin/base/text.h"
#include "plugin/base/worker_pool.h"
#include "plugin/pull/arms.h"
#include "plugin/pull/challenged_callers.h"
#include "plugin/pull/engine.h"
#include "plugin/pull/journal.h"
#include "plugin/pull/path_memory.h"
#include "plugin/pull/plan.h"
#include "plugin/pull/pull_list.h"
#include "plugin/pull/pull_record.h"

namespace paceline::pull {
namespace {

using Record = std::shared_ptr<PullRecord>;
using RepositoryPtr = std::shared_ptr<registry::Repository>;

// Each blocks on one registry's manifest requests; a slow registry must not hold up the others.
constexpr unsigned kResolvers = 8;
constexpr std::size_t kFinishedKept = 500;
// containerd asks for a manifest by HEAD, then by GET, by tag and by digest: all within one pull.
constexpr Duration kSamePull = std::chrono::seconds(30);
// As long as the store keeps a foreground pull's blobs for containerd.
constexpr Duration kBroughtBack = std::chrono::minutes(10);

}  // namespace

class PullManager::Impl {
 public:
  explicit Impl(const PullServices& services)
      : services_(services),
        records_(services.clock, kFinishedKept),
        config_(services.config),
        arms_(services.config.experiment.arms),
        memory_(services.state / "paths.json"),
        journal_(services.state / "pulls.json"),
        interrupted_(journal_.load()),
        engine_({services.clock, services.network, services.store, services.flights, memory_}, services.config),
        workers_("pl-resolve", kResolvers) {
    services_.flights.set_demand_hook([this](const Digest& digest) { demand(digest); });
  }

  ~Impl() {
    services_.flights.set_demand_hook({});
    stopping_ = true;  // What lands from now on is kept in the journal for the next start.
  }

  std::string start_prefetch(const PrefetchRequest& request) {
    const bool unpack = request.unpack.value_or(unpack_by_default());
    for (const Record& record : records_.all()) {
      if (record->over() || record->access.kind != registry::Access::Kind::kOwn || record->image != request.image ||
          record->platform != request.platform) {
        continue;
      }
      // Once its layers are planned it is too late to want more of it.
      if (unpack && !record->unpack() && record->manifest()) continue;
      if (unpack) record->set_unpack();
      if (request.pin) record->set_pin();
      return record->id;
    }
    const auto arm = arms_.next(request.image.registry);
    const Record record = records_.add({.image = request.image,
                                        .platform = request.platform,
                                        .source = Source::kPrefetch,
                                        .foreground = false,
                                        .pin = request.pin,
                                        .unpack = unpack,
                                        .access = {},
                                        .policy = arm ? arm->name() : policy(request.image.registry),
                                        .arm = arm});
    enqueue(record);
    return record->id;
  }

  tl::expected<registry::Document, registry::Refusal> document(const RepositoryPtr& repository,
                                                               const std::string& object) {
    Arrival arrival{services_.clock.now(), Duration{0}};
    const std::string name = repository->registry() + "/" + repository->repository();
    engine_.warm(repository->registry());
    auto document = repository->document(object);
    if (!document) {
      if (document.error().status == 401) challenged_.refused(name, arrival.began, services_.clock.now());
      return document;
    }
    if (const auto wait = challenged_.returned(name, arrival.began)) {
      arrival = {wait->began, arrival.began - wait->answered};
    }
    const auto parsed = oci::parse_document(document->bytes, document->media_type);
    if (!parsed) {  // An artefact of another kind: containerd knows what it wants with it.
      spdlog::debug("{}/{}@{}: {}; passed on as it is", repository->registry(), repository->repository(),
                    document->digest.to_string(), parsed.error().message);
      return document;
    }
    (void)keep(*document, store::Purpose::kForeground);
    oci::Reference image{
        .registry = repository->registry(), .repository = repository->repository(), .tag = {}, .digest = {}};
    if (auto digest = Digest::parse(object)) {
      image.digest = *digest;
    } else {
      image.tag = object;
    }
    if (const auto* index = std::get_if<oci::Index>(&*parsed)) {
      follow_index(repository, image, *index, document->digest, arrival);
    } else {
      follow_manifest(repository, image, *document, std::get<oci::Manifest>(*parsed), arrival);
    }
    return document;
  }

  std::vector<PullSnapshot> pulls() const {
    std::vector<PullSnapshot> out;
    for (const Record& record : records_.all()) out.push_back(record->snapshot());
    std::reverse(out.begin(), out.end());
    return out;
  }

  std::optional<PullSnapshot> find(const std::string& id) const {
    const Record record = records_.find(id);
    return record == nullptr ? std::nullopt : std::optional(record->snapshot());
  }

  Status cancel(const std::string& id) {
    const Record record = records_.find(id);
    if (record == nullptr) return fail(Code::kNotFound, "no pull " + id + ": see `paceline pulls --all`");
    if (record->over()) return fail(Code::kFailedPrecondition, "pull " + id + " is over already");
    end(record, PullState::kCancelled, Error{Code::kCancelled, "cancelled by request"});
    return {};
  }

  std::vector<PathSnapshot> paths() const {
    auto live = engine_.paths();
    // Paths remembered from before the last start, unseen since.
    for (const auto& [host, profile] : memory_.all()) {
      if (std::any_of(live.begin(), live.end(), [&host = host](const auto& path) { return path.host == host; }))
        continue;
      PathSnapshot path;
      path.host = host;
      path.policy = policy(host);
      path.limit = profile.streams;
      path.mode = "remembered";
      path.rtt_seconds = adaptive::seconds(profile.rtt_min);
      path.best_bytes_per_second = profile.goodput;
      path.ranges = profile.ranges_ok.value_or(true);
      live.push_back(std::move(path));
    }
    std::sort(live.begin(), live.end(), [](const auto& a, const auto& b) { return a.host < b.host; });
    return live;
  }

  void resume() {
    for (const JournalEntry& entry : std::exchange(interrupted_, {})) {
      auto image = oci::Reference::parse(entry.image);
      std::optional<oci::Platform> platform;
      if (!entry.platform.empty()) {
        auto parsed = oci::Platform::parse(entry.platform);
        if (parsed) platform = *parsed;
      }
      if (!image) continue;
      spdlog::info("going on with {}, interrupted by the last stop", entry.image);
      const registry::Access access{
          .kind = entry.own_rights ? registry::Access::Kind::kOwn : registry::Access::Kind::kCaller,
          .authorization = {}};
      const Record record = records_.add({.image = *image,
                                          .platform = platform,
                                          .source = Source::kResumed,
                                          .foreground = entry.foreground,
                                          .pin = entry.pin,
                                          .unpack = entry.unpack,
                                          .access = access,
                                          .policy = policy(image->registry),
                                          .arm = std::nullopt});
      const auto repository = services_.registries.open(image->registry, image->repository, access);
      // Planned from the store where possible, so that the flights are known before containerd asks again.
      if (!entry.manifest || !plan_from_store(record, repository, *entry.manifest)) enqueue(record);
    }
    save_journal();
  }

  void reconfigure(const config::Config& config) {
    {
      const std::lock_guard lock(mutex_);
      config_ = config;
    }
    arms_.reconfigure(config.experiment.arms);
    engine_.reconfigure(config);
    pump();
  }

 private:
  /// When a caller of the mirror came, its way to the token service included.
  struct Arrival {
    TimePoint began;
    Duration token;
  };

  // ---- the queue

  void enqueue(const Record& record) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(record);
    }
    save_journal();
    pump();
  }

  void pump() {
    const std::lock_guard lock(mutex_);
    while (!queue_.empty() && running_.size() < config_.fetch.max_pulls) {
      const Record record = queue_.front();
      queue_.pop_front();
      if (record->over()) continue;
      running_.insert(record->key);
      workers_.post([this, record] { run(record); });
    }
  }

  std::string policy(const std::string& registry) const {
    const std::lock_guard lock(mutex_);
    const auto& concurrency = config::concurrency_for(config_, registry, registry);
    return concurrency.mode == config::ConcurrencyMode::kFixed ? fmt::format("fixed:{}", concurrency.streams)
                                                               : "adaptive";
  }

  bool unpack_by_default() const {
    const std::lock_guard lock(mutex_);
    return config_.prefetch.unpack && services_.listener != nullptr;
  }

  unsigned max_streams(const PullRecord& record) const {
    const std::lock_guard lock(mutex_);
    return config::concurrency_for(config_, record.image.registry, record.image.registry).max_streams;
  }

  void save_journal() {
    if (stopping_ || journal_due_.exchange(true)) return;
    workers_.post([this] {
      journal_due_ = false;
      if (stopping_) return;
      std::vector<JournalEntry> entries;
      for (const Record& record : records_.all()) {
        const bool secret =
            record->access.kind == registry::Access::Kind::kCaller && !record->access.authorization.empty();
        if (!record->over() && !secret) entries.push_back(record->journal_entry());
      }
      if (const auto saved = journal_.save(entries); !saved) spdlog::warn("{}", saved.error().message);
    });
  }

  // ---- the way of one pull

  void run(const Record& record) {
    record->resolving();
    engine_.warm(record->image.registry);
    const auto repository = services_.registries.open(record->image.registry, record->image.repository, record->access);
    auto document = repository->document(record->image.object());
    if (!document) return end(record, {}, document.error().error);
    record->documented(repository->token_time());
    auto parsed = oci::parse_document(document->bytes, document->media_type);
    if (parsed && std::holds_alternative<oci::Index>(*parsed)) {
      (void)keep(*document, store::Purpose::kPrefetch);
      record->also_pin(document->digest);
      const auto child =
          oci::choose_platform(std::get<oci::Index>(*parsed), record->platform.value_or(oci::Platform::host()));
      if (!child) return end(record, {}, child.error());
      document = repository->document(child->digest.to_string());
      if (!document) return end(record, {}, document.error().error);
      parsed = oci::parse_document(document->bytes, document->media_type);
    }
    if (!parsed) return end(record, {}, parsed.error());
    if (!std::holds_alternative<oci::Manifest>(*parsed)) {
      return end(record, {}, Error{Code::kInvalidArgument, "an index inside an index"});
    }
    (void)keep(*document, store::Purpose::kPrefetch);
    begin(record, repository, document->digest, std::get<oci::Manifest>(*parsed));
  }

  /// The mirror saw an index: the manifest for this machine will be asked for next. Its flight takes off before the
  /// index is answered, and lands only when the flights of its layers are up.
  void follow_index(const RepositoryPtr& repository, const oci::Reference& image, const oci::Index& index,
                    const Digest& index_digest, const Arrival& arrival) {
    const auto child = oci::choose_platform(index, oci::Platform::host());
    if (!child) {
      spdlog::debug("{}: {}", image.to_string(), child.error().message);
      return;
    }
    if (join_running(repository, child->digest)) return;
    if (services_.store.find(child->digest)) {
      const Record record = add_mirror(repository, image, index_digest, arrival);
      if (!plan_from_store(record, repository, child->digest))
        end(record, {}, Error{Code::kDataLoss, "unreadable manifest"});
      return;
    }
    if (!services_.flights.take_off(child->digest, child->size)) return;  // Another caller's request is bringing it.
    const Record record = add_mirror(repository, image, index_digest, arrival);
    workers_.post([this, repository, record, digest = child->digest] {
      record->resolving();
      auto document = repository->document(digest.to_string());
      Result<std::variant<oci::Index, oci::Manifest>> parsed =
          document ? oci::parse_document(document->bytes, document->media_type)
                   : Result<std::variant<oci::Index, oci::Manifest>>(fail(document.error().error));
      Status kept = parsed ? keep(*document, store::Purpose::kForeground) : Status(fail(parsed.error()));
      if (parsed && std::holds_alternative<oci::Manifest>(*parsed)) {
        begin(record, repository, digest, std::get<oci::Manifest>(*parsed));
      } else {
        end(record, {}, parsed ? Error{Code::kInvalidArgument, "an index inside an index"} : parsed.error());
      }
      services_.flights.land(digest, kept);
    });
  }

  void follow_manifest(const RepositoryPtr& repository, const oci::Reference& image, const registry::Document& document,
                       const oci::Manifest& manifest, const Arrival& arrival) {
    if (join_running(repository, document.digest)) return tell_listener(manifest);
    begin(add_mirror(repository, image, std::nullopt, arrival), repository, document.digest, manifest);
  }

  Record add_mirror(const RepositoryPtr& repository, const oci::Reference& image, std::optional<Digest> index,
                    const Arrival& arrival) {
    const auto arm = arms_.next(image.registry);
    Record record = records_.add({.image = image,
                                  .platform = std::nullopt,
                                  .source = Source::kMirror,
                                  .foreground = true,
                                  .pin = false,
                                  .access = repository->access(),
                                  .policy = arm ? arm->name() : policy(image.registry),
                                  .arm = arm,
                                  .began = arrival.began,
                                  .token = arrival.token});
    record->documented(Duration{0});
    if (index) record->also_pin(*index);
    return record;
  }

  /// One plan per manifest: a caller that asks for one that is being pulled makes that pull a foreground pull and lends
  /// it its rights. Also true when such a pull has just ended and everything is here.
  bool join_running(const RepositoryPtr& repository, const Digest& manifest) {
    for (const Record& record : records_.all()) {
      if (record->manifest() != manifest) continue;
      const auto digests = record->digests();
      const auto here = [&](const Digest& d) { return services_.store.find(d).has_value(); };
      if (record->over()) {
        const bool recent = !record->ended_before(services_.clock.now() - kSamePull);
        // A prefetch that has just ended is another pull than the one that profits by it, and has its own record.
        const bool same = record->source != Source::kPrefetch && recent;
        if (same && std::all_of(digests.begin(), digests.end(), here)) return true;
        continue;
      }
      // containerd's collection may have taken a blob that was here when the pull began: then it needs a plan anew,
      // which shares the flights of this one.
      if (!std::all_of(digests.begin(), digests.end(),
                       [&](const Digest& d) { return services_.flights.find(d).has_value() || here(d); })) {
        continue;
      }
      record->set_foreground();
      for (const Digest& digest : digests) engine_.join(record->key, true, digest, repository);
      return true;
    }
    return false;
  }

  bool plan_from_store(const Record& record, const RepositoryPtr& repository, const Digest& manifest) {
    const auto blob = services_.store.open_blob(manifest);
    if (!blob || (*blob)->size > oci::kMaxManifestBytes) return false;
    std::string bytes((*blob)->size, '\0');
    const auto count = read_at((*blob)->fd.get(), std::as_writable_bytes(std::span(bytes)), 0);
    if (!count || *count != bytes.size() || sha256(bytes) != manifest) return false;
    const auto parsed = oci::parse_document(bytes, "");
    if (!parsed || !std::holds_alternative<oci::Manifest>(*parsed)) return false;
    begin(record, repository, manifest, std::get<oci::Manifest>(*parsed));
    return true;
  }

  /// Puts every blob's flight up, then starts to fetch. From here on the landings drive the pull.
  void begin(const Record& record, const RepositoryPtr& repository, const Digest& digest,
             const oci::Manifest& manifest) {
    const auto blobs = plan_blobs(manifest);
    if (!blobs) return end(record, {}, blobs.error());
    record->also_pin(digest);
    if (!record->fetching(digest, *blobs)) return;
    const auto unneeded = record->foreground() && services_.listener != nullptr ? services_.listener->unneeded(manifest)
                                                                                : std::set<Digest>();
    fetch(record, repository, *blobs, unneeded);
    if (record->foreground()) tell_listener(manifest);
    if (record->unpack()) unpack(record, manifest);
    save_journal();
    if (record->all_landed()) end_if_unpacked(record);
  }

  void fetch(const Record& record, const RepositoryPtr& repository, const std::vector<oci::Descriptor>& blobs,
             const std::set<Digest>& unneeded) {
    std::vector<BlobJob> jobs;
    for (std::size_t i = 0; i < blobs.size(); ++i) {
      if (unneeded.contains(blobs[i].digest) && !services_.store.find(blobs[i].digest)) {
        record->blob_present(i);
        continue;
      }
      if (auto job = claim(record, i, blobs[i], repository)) jobs.push_back(std::move(*job));
    }
    if (!jobs.empty()) {
      engine_.fetch(record->key, record->foreground(), repository, std::move(jobs), {record->trace, record->arm});
    }
  }

  void unpack(const Record& record, const oci::Manifest& manifest) {
    if (services_.listener == nullptr) {
      record->unpacked(
          fail(Code::kFailedPrecondition,
               "layers cannot be unpacked: the daemon has no snapshotter; set [snapshotter] enabled = true"));
      return;
    }
    // The record holds what it is answered, and that holds this: a strong reference would keep both for ever.
    record->unpacking(services_.listener->unpack(manifest, [this, weak = std::weak_ptr(record)](const Status& outcome) {
      const Record record = weak.lock();
      if (!record) return;
      record->unpacked(outcome);
      // Not here: the caller's thread is the unpacker's.
      if (!stopping_)
        workers_.post([this, record] {
          if (record->all_landed()) end_if_unpacked(record);
        });
    }));
  }

  /// All blobs have landed.
  void end_if_unpacked(const Record& record) {
    if (!record->waits_for_unpack()) end(record, {}, {});
  }

  void tell_listener(const oci::Manifest& manifest) {
    if (services_.listener != nullptr) services_.listener->planned(manifest);
  }

  /// Makes sure of one blob: it is here, or in flight with this pull waiting for it. Answers a job when this pull is
  /// the one to fetch it.
  std::optional<BlobJob> claim(const Record& record, std::size_t i, const oci::Descriptor& blob,
                               const RepositoryPtr& repository) {
    for (;;) {
      if (services_.store.find(blob.digest)) {
        record->blob_present(i);
        return std::nullopt;
      }
      const bool own = services_.flights.take_off(blob.digest, blob.size);
      const auto counters = counters_of(blob.digest, own);
      record->blob_in_flight(i, counters, own);
      const auto wait = services_.flights.wait(blob.digest, [this, record, i, blob, repository](const Status& outcome) {
        landed(record, i, blob, repository, outcome);
      });
      if (!wait) continue;  // It landed in between.
      record->blob_waits(i, *wait);
      if (own) return BlobJob{blob.digest, blob.size, counters};
      engine_.join(record->key, record->foreground(), blob.digest, repository);
      return std::nullopt;
    }
  }

  /// The counters of a digest's flight, shared by all pulls that wait for it.
  std::shared_ptr<BlobCounters> counters_of(const Digest& digest, bool fresh) {
    const std::lock_guard lock(mutex_);
    std::erase_if(counters_, [](const auto& entry) { return entry.second.expired(); });
    auto counters = fresh ? nullptr : counters_[digest].lock();
    if (counters == nullptr) counters = std::make_shared<BlobCounters>();
    counters_[digest] = counters;
    return counters;
  }

  void landed(const Record& record, std::size_t i, const oci::Descriptor& blob, const RepositoryPtr& repository,
              const Status& outcome) {
    if (stopping_) return;
    if (!outcome && outcome.error().code == Code::kCancelled && !record->over()) {
      // Cancelled by a pull that shared it with this one: this one takes it over.
      workers_.post([this, record, i, blob, repository] {
        if (record->over()) return;
        if (auto job = claim(record, i, blob, repository)) {
          engine_.fetch(record->key, record->foreground(), repository, {std::move(*job)}, {record->trace, record->arm});
        } else if (record->all_landed()) {
          end_if_unpacked(record);
        }
      });
      return;
    }
    if (record->blob_landed(i, outcome)) end_if_unpacked(record);
  }

  void end(const Record& record, std::optional<PullState> state, std::optional<Error> error) {
    const auto ended = record->finish(state, std::move(error));
    if (!ended) return;
    for (const WaitId wait : record->waits()) services_.flights.cancel(wait);
    engine_.cancel(record->key);
    const auto pull = record->snapshot();
    report(pull);
    if (services_.ends != nullptr) services_.ends->ended(pull);
    if (services_.records != nullptr) services_.records->pull_ended(record->cold_start(max_streams(*record)));
    if (*ended == PullState::kDone && record->pin()) {
      workers_.post([this, record] {
        if (auto pinned = services_.store.pin(record->image.to_string(), record->digests()); !pinned) {
          spdlog::error("pin {}: {}", record->image.to_string(), pinned.error().message);
        }
      });
    }
    {
      const std::lock_guard lock(mutex_);
      running_.erase(record->key);
    }
    save_journal();
    if (!stopping_) pump();
  }

  static void report(const PullSnapshot& pull) {
    if (pull.error) {
      spdlog::warn("pull {} {} ({}): {} after {}: {}", pull.id, pull.image, source_name(pull.source),
                   state_name(pull.state), format_duration(pull.elapsed), pull.error->to_string());
      return;
    }
    spdlog::info("pull {} {} ({}, {}): {} in {}: {} of {} fetched, {} a second, {} retries", pull.id, pull.image,
                 source_name(pull.source), pull.policy, state_name(pull.state), format_duration(pull.elapsed),
                 format_bytes(pull.fetched_bytes), format_bytes(pull.total_bytes),
                 format_bytes(static_cast<std::uint64_t>(pull.bytes_per_second)), pull.retries);
  }

  /// Stores a manifest or index, so that containerd finds it there. A full disk is no reason to fail the caller.
  Status keep(const registry::Document& document, store::Purpose purpose) {
    auto kept = services_.store.put_hidden(document.digest, document.bytes, purpose);
    if (!kept) spdlog::warn("manifest {} not kept: {}", document.digest.to_string(), kept.error().message);
    return kept;
  }

  /// containerd opens a Write for it, within a transaction of its own: memory only.
  void demand(const Digest& digest) {
    Record brought_by;
    for (const Record& record : records_.all()) {
      if (!record->over() && record->has_blob(digest)) record->set_foreground();
      if (record->has_brought(digest)) brought_by = record;
    }
    // In this order: a landing blob is first in the store, then out of the table.
    const bool gone = !services_.flights.find(digest) && !services_.store.find(digest);
    if (gone && brought_by != nullptr && !brought_by->ended_before(services_.clock.now() - kBroughtBack)) {
      bring_back(*brought_by);
    } else {
      engine_.raise(digest);
    }
  }

  /// What a pull has brought is gone, and containerd is about to fetch it itself: its collection runs when it likes,
  /// also between the manifest and the layers, and a manifest that the mirror still knows makes no plan anew.
  void bring_back(const PullRecord& pull) {
    spdlog::debug("pull {} {}: blobs of it are gone and wanted again", pull.id, pull.image.to_string());
    const Record record = records_.add({.image = pull.image,
                                        .platform = pull.platform,
                                        .source = Source::kMirror,
                                        .foreground = true,
                                        .pin = false,
                                        .access = pull.access,
                                        .policy = policy(pull.image.registry)});
    const auto blobs = pull.brought();
    if (!record->fetching(*pull.manifest(), blobs)) return;
    fetch(record, services_.registries.open(pull.image.registry, pull.image.repository, pull.access), blobs, {});
    save_journal();
    if (record->all_landed()) end_if_unpacked(record);
  }

  const PullServices services_;
  PullList records_;
  mutable std::mutex mutex_;
  config::Config config_;
  Arms arms_;
  ChallengedCallers challenged_;
  std::deque<Record> queue_;
  std::set<PullKey> running_;
  std::unordered_map<Digest, std::weak_ptr<BlobCounters>> counters_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> journal_due_ = false;
  PathMemory memory_;
  Journal journal_;
  std::vector<JournalEntry> interrupted_;  // By the last stop. Read before the first pull writes the journal anew.
  TransferEngine engine_;
  WorkerPool workers_;  // Last: its tasks use all of the above.
};

PullManager::PullManager(const PullServices& services) : impl_(std::make_unique<Impl>(services)) {}
PullManager::~PullManager() = default;
std::string PullManager::start_prefetch(const PrefetchRequest& request) { return impl_->start_prefetch(request); }
tl::expected<registry::Document, registry::Refusal> PullManager::document(
    const std::shared_ptr<registry::Repository>& repository, const std::string& object) {
  return impl_->document(repository, object);
}
std::vector<PullSnapshot> PullManager::pulls() const { return impl_->pulls(); }
std::optional<PullSnapshot> PullManager::find(const std::string& id) const { return impl_->find(id); }
Status PullManager::cancel(const std::string& id) { return impl_->cancel(id); }
std::vector<PathSnapshot> PullManager::paths() const { return impl_->paths(); }
void PullManager::resume() { impl_->resume(); }
void PullManager::reconfigure(const config::Config& config) { impl_->reconfigure(config); }

}  // namespace paceline::pull
