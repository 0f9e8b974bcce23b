#include "plugin/pull/pull_manager.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <set>
#include <utility>

#include "plugin/base/log.h"
#include "plugin/base/text.h"
#include "plugin/base/worker_pool.h"
#include "plugin/pull/arms.h"
#include "plugin/pull/documents.h"
#include "plugin/pull/journal.h"
#include "plugin/pull/mirror_pulls.h"
#include "plugin/pull/path_memory.h"
#include "plugin/pull/pull_list.h"
#include "plugin/pull/pull_runner.h"
#include "plugin/pull/settings.h"

namespace paceline::pull {
namespace {

using Record = std::shared_ptr<PullRecord>;
using RepositoryPtr = std::shared_ptr<registry::Repository>;

// Each blocks on one registry's manifest requests; a slow registry must not hold up the others.
constexpr unsigned kResolvers = 8;
constexpr std::size_t kFinishedKept = 500;

}  // namespace

class PullManager::Impl {
 public:
  explicit Impl(const PullServices& services)
      : services_(services),
        records_(services.clock, kFinishedKept),
        settings_(services.config),
        arms_(services.config.experiment.arms),
        memory_(services.state / "paths.json"),
        journal_(services.state / "pulls.json"),
        interrupted_(journal_.load()),
        runner_(services, records_, settings_, memory_, workers_,
                {[this] { save_journal(); }, [this](const Record& record) { over(record); }}),
        mirror_(services, {records_, settings_, arms_, runner_, workers_}),
        workers_("pl-resolve", kResolvers) {}

  ~Impl() {
    stopping_ = true;  // What lands from now on is kept in the journal for the next start.
    runner_.stop();
  }

  std::string start_prefetch(const PrefetchRequest& request) {
    const bool unpack = request.unpack.value_or(services_.listener != nullptr && settings_.unpacks_prefetches());
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
                                        .policy = arm ? arm->name() : settings_.policy(request.image.registry),
                                        .arm = arm});
    enqueue(record);
    return record->id;
  }

  tl::expected<registry::Document, registry::Refusal> document(const RepositoryPtr& repository,
                                                               const std::string& object) {
    return mirror_.document(repository, object);
  }

  void asked_again(const RepositoryPtr& repository, const std::string& object, const registry::Document& document) {
    mirror_.asked_again(repository, object, document);
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
    runner_.end(record, PullState::kCancelled, Error{Code::kCancelled, "cancelled by request"});
    return {};
  }

  std::vector<PathSnapshot> paths() const {
    auto live = runner_.engine().paths();
    // Paths remembered from before the last start, unseen since.
    for (const auto& [host, profile] : memory_.all()) {
      if (std::any_of(live.begin(), live.end(), [&host = host](const auto& path) { return path.host == host; }))
        continue;
      PathSnapshot path;
      path.host = host;
      path.policy = settings_.policy(host);
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
                                          .policy = settings_.policy(image->registry),
                                          .arm = std::nullopt});
      const auto repository = services_.registries.open(image->registry, image->repository, access);
      record->trace->set_mixed();  // The rest of a pull says nothing of a policy.
      // Planned from the store where possible, so that the flights are known before containerd asks again.
      if (!entry.manifest || !runner_.begin_from_store(record, repository, *entry.manifest)) enqueue(record);
    }
    save_journal();
  }

  void reconfigure(const config::Config& config) {
    settings_.change(config);
    arms_.reconfigure(config.experiment.arms);
    runner_.engine().reconfigure(config);
    pump();
  }

 private:
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
    while (!queue_.empty() && running_.size() < settings_.max_pulls()) {
      const Record record = queue_.front();
      queue_.pop_front();
      if (record->over()) continue;
      running_.insert(record->key);
      workers_.post([this, record] { run(record); });
    }
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

  void over(const Record& record) {
    {
      const std::lock_guard lock(mutex_);
      running_.erase(record->key);
    }
    save_journal();
    if (!stopping_) pump();
  }

  /// From the image's name to its manifest, which the runner takes on.
  void run(const Record& record) {
    record->resolving();
    runner_.engine().warm(record->image.registry);
    const auto repository = services_.registries.open(record->image.registry, record->image.repository, record->access);
    auto document = repository->document(record->image.object());
    if (!document) return runner_.end(record, {}, document.error().error);
    record->documented(repository->token_time());
    auto parsed = oci::parse_document(document->bytes, document->media_type);
    if (parsed && std::holds_alternative<oci::Index>(*parsed)) {
      (void)keep_document(services_.store, *document, store::Purpose::kPrefetch);
      record->also_pin(document->digest);
      const auto child =
          oci::choose_platform(std::get<oci::Index>(*parsed), record->platform.value_or(oci::Platform::host()));
      if (!child) return runner_.end(record, {}, child.error());
      document = repository->document(child->digest.to_string());
      if (!document) return runner_.end(record, {}, document.error().error);
      parsed = oci::parse_document(document->bytes, document->media_type);
    }
    if (!parsed) return runner_.end(record, {}, parsed.error());
    if (!std::holds_alternative<oci::Manifest>(*parsed)) {
      return runner_.end(record, {}, Error{Code::kInvalidArgument, "an index inside an index"});
    }
    (void)keep_document(services_.store, *document, store::Purpose::kPrefetch);
    runner_.begin(record, repository, document->digest, std::get<oci::Manifest>(*parsed));
  }

  const PullServices services_;
  PullList records_;
  Settings settings_;
  Arms arms_;
  std::mutex mutex_;  // Guards the two that follow.
  std::deque<Record> queue_;
  std::set<PullKey> running_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> journal_due_ = false;
  PathMemory memory_;
  Journal journal_;
  std::vector<JournalEntry> interrupted_;  // By the last stop. Read before the first pull writes the journal anew.
  PullRunner runner_;
  MirrorPulls mirror_;
  WorkerPool workers_;  // Last: its tasks use all of the above.
};

PullManager::PullManager(const PullServices& services) : impl_(std::make_unique<Impl>(services)) {}
PullManager::~PullManager() = default;
std::string PullManager::start_prefetch(const PrefetchRequest& request) { return impl_->start_prefetch(request); }
tl::expected<registry::Document, registry::Refusal> PullManager::document(
    const std::shared_ptr<registry::Repository>& repository, const std::string& object) {
  return impl_->document(repository, object);
}
void PullManager::asked_again(const std::shared_ptr<registry::Repository>& repository, const std::string& object,
                              const registry::Document& document) {
  impl_->asked_again(repository, object, document);
}
std::vector<PullSnapshot> PullManager::pulls() const { return impl_->pulls(); }
std::optional<PullSnapshot> PullManager::find(const std::string& id) const { return impl_->find(id); }
Status PullManager::cancel(const std::string& id) { return impl_->cancel(id); }
std::vector<PathSnapshot> PullManager::paths() const { return impl_->paths(); }
void PullManager::resume() { impl_->resume(); }
void PullManager::reconfigure(const config::Config& config) { impl_->reconfigure(config); }

}  // namespace paceline::pull
