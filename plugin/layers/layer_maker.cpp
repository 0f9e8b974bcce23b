#include "plugin/layers/layer_maker.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <utility>

#include "plugin/base/files.h"
#include "plugin/layers/growing_source.h"
#include "plugin/snapshots/disk_usage.h"
#include "plugin/unpack/lower_layers.h"
#include "plugin/unpack/unpack.h"

namespace paceline::layers {
namespace {

// What a decoder reads at a time: of an archive that inflates as much as one may (unpack::Limits::ratio), 32 MiB.
constexpr std::uint64_t kRoomStep = 128U << 10U;

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

bool is_at(const std::filesystem::path& path, int folder) {
  struct stat there {};
  struct stat open {};
  return ::lstat(path.c_str(), &there) == 0 && ::fstat(folder, &open) == 0 && there.st_dev == open.st_dev &&
         there.st_ino == open.st_ino;
}

}  // namespace

Status LayerMaker::make(LayerJob& job, const std::set<Digest>& spared) {
  if (stop_.stop_requested()) return fail(Code::kCancelled, "the daemon is stopping");
  if (auto looked = find_in_snapshotter(job); !looked || job.found) return looked;
  if (auto looked = find_kept(job); !looked || job.kept) return looked;
  if (auto room = check_room(spared); !room) return room;
  auto source = GrowingSource::open(services_.store, services_.flights, job.layer.blob, stop_);
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
  job.bytes = layer->bytes;
  job.entries = layer->entries;
  job.inflate_cpu = layer->inflate_cpu;
  job.write_cpu = layer->write_cpu;
  return (*source)->wait_landed();
}

Status LayerMaker::find_in_snapshotter(LayerJob& job) {
  const auto files = services_.snapshotter.files_of_layer(job.layer.chain_id.to_string());
  if (!files) return fail(files.error());
  if (!*files) return {};
  auto folder = open_file(**files, O_RDONLY | O_DIRECTORY);
  if (!folder) return {};  // Removed just now.
  job.folder = std::move(*folder);
  job.found = true;
  return {};
}

Status LayerMaker::find_kept(LayerJob& job) {
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

Status LayerMaker::check_room(const std::set<Digest>& spared) {
  auto room = services_.folders.check_room();
  while (!room && services_.kept.evict_oldest(spared)) room = services_.folders.check_room();
  return room;
}

Status LayerMaker::finish(LayerJob& job, const std::vector<LowerLayer>& lowers) {
  std::vector<int> folders;
  for (const auto& lower : lowers) folders.push_back(lower.job->folder.get());
  if (auto done = unpack::finish_layer(job.folder.get(), job.unfinished, folders); !done) return done;
  // Counted here, because containerd waits while the snapshotter does it.
  const auto usage = snapshots::disk_usage(job.path);
  if (!usage) return fail(usage.error());
  job.usage = *usage;
  return {};
}

// Whoever removes a layer renames its folder first, and what is only on offer stays while a layer above is under way.
// It is looked for in the order in which it may move; a move to the snapshotter ends before that answers.
bool LayerMaker::is_whole(const LowerLayer& lower) {
  const int folder = lower.job->folder.get();
  const auto& chain_id = lower.job->layer.chain_id;
  if (is_at(lower.path, folder) || is_at(services_.kept.place(chain_id), folder)) return true;
  const auto files = services_.snapshotter.files_of_layer(chain_id.to_string());
  return files && *files && is_at(**files, folder);
}

void LayerMaker::keep(LayerJob& job, const std::set<Digest>& spared) {
  if (job.rests_on_applied) {
    job.outcome = fail(Code::kAborted, "its files are not kept: others look after those of a layer below");
    return;
  }
  const auto place = services_.kept.put(job.layer.chain_id, job.layer.blob, job.path, *job.usage, spared);
  if (place) {
    job.path = *place;
    job.kept = true;
  } else {
    job.outcome = fail(place.error().context("its files are not kept"));
  }
}

}  // namespace paceline::layers
