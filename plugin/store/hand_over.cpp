// A download that failed becomes the ingest that containerd goes on with, in an order in which every instant is safe:
// the ingest exists only once its data is in place, and the download's progress never claims more than its data has.
#include <fcntl.h>

#include <cerrno>

#include "plugin/base/files.h"
#include "plugin/store/ingest_files.h"
#include "plugin/store/parts.h"
#include "plugin/store/progress_file.h"

namespace paceline::store {
namespace {

Status move_data(Parts& parts, const Digest& digest, const IngestStatus& status, Progress progress) {
  const auto from = parts.layout.fetch_folder(digest);
  if (auto made = create_ingest(parts.layout, status, false); !made) return made;
  progress.written.clear();
  progress.written.add(0, status.offset);
  if (auto saved = save_progress(from / "progress", progress); !saved) return saved;
  if (::truncate((from / "data").c_str(), static_cast<off_t>(status.offset)) != 0) {
    return fail(errno_error(errno, "truncate"));
  }
  const auto to = parts.layout.ingest_folder(status.ref) / "data";
  if (::rename((from / "data").c_str(), to.c_str()) != 0) return fail(errno_error(errno, "rename"));
  return {};
}

}  // namespace

Status hand_over(Parts& parts, const Digest& digest, const std::string& ref, std::uint64_t total) {
  if (ref.empty()) return fail(Code::kInvalidArgument, "the ref of an ingest must not be empty");
  const auto partial = parts.partials.claim_existing(digest);
  if (!partial) return {};
  const auto keep = [&] { parts.partials.release(digest, partial); };

  const auto progress = load_progress(parts.layout.fetch_folder(digest) / "progress");
  const std::uint64_t prefix = progress ? progress->written.prefix() : 0;
  auto claim = parts.ingests.claim(ref);
  if (!claim) {
    keep();
    return {};
  }
  // An ingest that an earlier, broken-off pull left gives way to one that has more.
  const std::uint64_t present = *claim ? (*claim)->offset : 0;
  if (prefix <= present || (total != 0 && total != progress->size)) {
    parts.ingests.release(ref, claim->has_value());
    keep();
    return {};
  }

  IngestStatus status;
  status.ref = ref;
  status.offset = prefix;
  status.total = total;
  status.expected = digest;
  status.started = status.updated = parts.clock.wall();
  auto moved = move_data(parts, digest, status, *progress);
  parts.space.drop_partial(present);
  if (!moved) {
    (void)remove_folder(parts.layout.ingest_folder(ref));
    parts.ingests.release(ref, false);
    keep();
    return fail(moved.error().context("hand the download of " + digest.to_string() + " over"));
  }
  (void)remove_folder(parts.layout.fetch_folder(digest));
  parts.space.drop_partial(partial->allocated);
  parts.space.add_partial(prefix);
  parts.partials.release(digest, std::nullopt);
  parts.ingests.publish(status);
  parts.ingests.release(ref, true);
  return {};
}

}  // namespace paceline::store
