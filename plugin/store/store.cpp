#include "plugin/store/store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "plugin/base/files.h"
#include "plugin/store/parts.h"

namespace paceline::store {

class Store::Impl {
 public:
  Impl(const StoreOptions& options, const Clock& clock) : parts(options, clock) {}
  Parts parts;
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options, const Clock& clock) {
  if (options.content.empty()) return fail(Code::kInvalidArgument, "the store needs a content folder");
  auto impl = std::make_unique<Impl>(options, clock);
  if (auto opened = open_parts(impl->parts); !opened) return fail(opened.error());
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

std::optional<BlobInfo> Store::find(const Digest& digest) const {
  const auto entry = impl_->parts.table.find(digest);
  return entry ? std::optional(entry->info) : std::nullopt;
}

std::vector<BlobInfo> Store::list(std::optional<Visibility> visibility) const {
  return impl_->parts.table.list(visibility);
}

std::unique_ptr<BlobClaim> Store::claim(const Digest& digest) {
  auto info = impl_->parts.table.claim(digest);
  if (!info) return nullptr;
  return std::make_unique<BlobClaim>(*info, [this, digest] { impl_->parts.table.release(digest); });
}

Result<BlobInfo> Store::adopt(const Digest& digest) { return impl_->parts.files.adopt(digest); }

Result<std::shared_ptr<const OpenBlob>> Store::open_blob(const Digest& digest) {
  return impl_->parts.files.open(digest);
}

Result<std::shared_ptr<const OpenBlob>> Store::open_growing(const Digest& digest) {
  // A download becomes a blob by one rename, so it is looked for first.
  const auto path = impl_->parts.layout.fetch_folder(digest) / "data";
  auto fd = open_file(path, O_RDONLY | O_NOFOLLOW);
  if (!fd && fd.error().code == Code::kNotFound) return open_blob(digest);
  if (!fd) return fail(fd.error());
  struct stat about {};
  if (::fstat(fd->get(), &about) != 0) return fail(errno_error(errno, "stat " + path.string()));
  return std::make_shared<const OpenBlob>(OpenBlob{std::move(*fd), static_cast<std::uint64_t>(about.st_size)});
}

Status Store::remove(const Digest& digest) { return impl_->parts.files.remove(digest); }

Status Store::evict(const Digest& digest, Eviction why) {
  const auto freed = impl_->parts.files.evict(digest);
  if (!freed) return fail(freed.error());
  impl_->parts.evictions.count(why, *freed);
  return {};
}

Labels Store::labels(const Digest& digest) const { return impl_->parts.labels.get(digest); }

Result<BlobInfo> Store::set_labels(const Digest& digest, const Labels& labels) {
  return impl_->parts.files.set_labels(digest, labels);
}

Status Store::pin(const std::string& name, const std::vector<Digest>& digests) {
  return impl_->parts.pins.set(name, digests);
}

Status Store::unpin(const std::string& name) { return impl_->parts.pins.remove(name); }

std::map<std::string, std::vector<Digest>> Store::pins() const { return impl_->parts.pins.all(); }

Result<std::unique_ptr<Ingest>> Store::open_ingest(const std::string& ref, std::uint64_t total,
                                                   std::optional<Digest> expected) {
  return store::open_ingest(impl_->parts, ref, total, expected);
}

Result<IngestStatus> Store::ingest_status(const std::string& ref) const {
  if (auto status = impl_->parts.ingests.find(ref)) return *status;
  return fail(Code::kNotFound, "there is no ingest '" + ref.substr(0, 200) + "'");
}

std::vector<IngestStatus> Store::ingests() const { return impl_->parts.ingests.list(); }

Status Store::abort_ingest(const std::string& ref) { return store::abort_ingest(impl_->parts, ref); }

Result<std::unique_ptr<FetchFile>> Store::begin_fetch(const Digest& digest, std::uint64_t size, Purpose purpose) {
  return store::begin_fetch(impl_->parts, digest, size, purpose);
}

Status Store::put_hidden(const Digest& digest, std::string_view bytes, Purpose purpose) {
  return store::put_hidden(impl_->parts, digest, bytes, purpose);
}

Status Store::hand_over(const Digest& digest, const std::string& ref, std::uint64_t total) {
  return store::hand_over(impl_->parts, digest, ref, total);
}

void Store::set_bytes_elsewhere(std::uint64_t bytes) { impl_->parts.space.set_elsewhere(bytes); }

Usage Store::usage() const {
  const Parts& parts = impl_->parts;
  const auto totals = parts.table.totals();
  Usage usage;
  usage.listed_blobs = totals.listed_blobs;
  usage.listed_bytes = totals.listed_bytes;
  usage.hidden_blobs = totals.hidden_blobs;
  usage.hidden_bytes = totals.hidden_bytes;
  usage.pinned_bytes = parts.table.pinned_bytes();
  usage.partial_bytes = parts.space.partial_bytes();
  usage.quota = parts.options.quota;
  usage.free_floor = parts.options.free_floor;
  usage.free_bytes = parts.space.free_bytes();
  usage.evicted = parts.evictions.by_reason();
  usage.evictions = usage.evicted[Eviction::kQuota] + usage.evicted[Eviction::kDisk];
  usage.unused_bytes = parts.evictions.unused_bytes();
  usage.adoptions = parts.files.adoptions();
  return usage;
}

void Store::verify(const std::vector<Digest>& only, const std::function<bool(const VerifyResult&)>& report) {
  store::verify(impl_->parts, only, report);
}

}  // namespace paceline::store
