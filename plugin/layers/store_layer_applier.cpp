#include "plugin/layers/store_layer_applier.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "plugin/base/files.h"
#include "plugin/base/log.h"
#include "plugin/layers/apply_target.h"
#include "plugin/layers/growing_source.h"
#include "plugin/unpack/lower_layers.h"
#include "plugin/unpack/remove_tree.h"
#include "plugin/unpack/unpack.h"

namespace paceline::layers {
namespace {

constexpr const char* kUncompressedLayer = "application/vnd.oci.image.layer.v1.tar";

Result<std::vector<std::string>> names_in(const std::filesystem::path& folder) {
  std::error_code error;
  std::vector<std::string> names;
  for (const auto& item : std::filesystem::directory_iterator(folder, error)) names.push_back(item.path().filename());
  if (error) return fail(errno_error(error.value(), "read " + folder.string()));
  return names;
}

Result<UniqueFd> open_folder(const std::filesystem::path& path) { return open_file(path, O_RDONLY | O_DIRECTORY); }

/// containerd's next differ begins where this one began.
Status empty_again(const std::filesystem::path& folder, int fd) {
  const auto names = names_in(folder);
  if (!names) return fail(names.error());
  for (const auto& name : *names) {
    if (auto removed = unpack::remove_tree(fd, name); !removed) return removed;
  }
  return {};
}

}  // namespace

std::vector<int> StoreLayerApplier::Folders::borrowed_lowers() const {
  std::vector<int> borrowed;
  for (const auto& lower : lowers) borrowed.push_back(lower.get());
  return borrowed;
}

/// The upper one has to be empty.
Result<StoreLayerApplier::Folders> StoreLayerApplier::open_folders(const ApplyTarget& target) {
  Folders folders;
  auto upper = open_folder(target.upper);
  if (!upper) return fail(upper.error());
  folders.upper = std::move(*upper);
  const auto names = names_in(target.upper);
  if (!names) return fail(names.error());
  if (!names->empty()) return fail(Code::kUnimplemented, target.upper.string() + " is not empty: another differ's");
  for (const auto& path : target.lowers) {
    auto lower = open_folder(path);
    if (!lower) return fail(lower.error());
    folders.lowers.push_back(std::move(*lower));
  }
  return folders;
}

Result<containerd::types::Descriptor> StoreLayerApplier::apply(const differ::LayerToApply& what, std::stop_token stop) {
  const auto target = apply_target(what.mounts);
  if (!target) return fail(target.error());
  const auto digest = Digest::parse(what.layer.digest());
  if (!digest) return fail(Code::kUnimplemented, "layer " + what.layer.digest() + " cannot be in the store");
  const auto folders = open_folders(*target);
  if (!folders) return fail(folders.error());

  const auto ready = take_ready(*digest, *target, *folders);
  const auto layer = ready ? Result<Applied>(*ready) : unpack(what, *digest, *folders, std::move(stop));
  if (!layer && layer.error().code == Code::kUnimplemented) {
    if (auto emptied = empty_again(target->upper, folders->upper.get()); !emptied) return fail(emptied.error());
  }
  if (!layer) return fail(Error(layer.error()).context("layer " + digest->to_string()));
  if (what.sync && ::syncfs(folders->upper.get()) != 0) {
    return fail(errno_error(errno, "sync " + target->upper.string()));
  }

  spdlog::debug("layer {}: applied to {}{}", digest->to_string(), target->upper.string(),
                ready ? ", unpacked ahead" : "");
  containerd::types::Descriptor applied;
  applied.set_media_type(kUncompressedLayer);
  applied.set_digest(layer->diff_id.to_string());
  applied.set_size(static_cast<std::int64_t>(layer->bytes));
  return applied;
}

std::optional<StoreLayerApplier::Applied> StoreLayerApplier::take_ready(const Digest& blob, const ApplyTarget& target,
                                                                        const Folders& folders) {
  if (ready_ == nullptr) return std::nullopt;
  const auto layer = ready_->take(blob, folders.borrowed_lowers(), folders.upper.get());
  if (!layer) return std::nullopt;
  // An empty folder gives way to another.
  if (::rename(layer->files.c_str(), target.upper.c_str()) == 0) {
    if (layer->taken) layer->taken();
    return Applied{layer->diff_id, layer->bytes};
  }
  spdlog::warn("layer {}: {}; it is unpacked again", blob.to_string(),
               errno_error(errno, "rename to " + target.upper.string()).message);
  std::error_code error;
  std::filesystem::remove_all(layer->files, error);
  return std::nullopt;
}

Result<StoreLayerApplier::Applied> StoreLayerApplier::unpack(const differ::LayerToApply& what, const Digest& blob,
                                                             const Folders& folders, std::stop_token stop) {
  auto source = GrowingSource::open(store_, flights_, blob, std::move(stop));
  if (!source && source.error().code == Code::kNotFound) {
    return fail(Code::kUnimplemented, "it is not in the store: another differ's");
  }
  if (!source) return fail(source.error());
  unpack::Options options;
  options.bottom = folders.lowers.empty();
  options.slots = &slots_;
  auto layer = unpack::unpack_layer(**source, what.layer.media_type(), std::nullopt, folders.upper.get(), options);
  if (!layer) return fail(layer.error());
  const auto lowers = folders.borrowed_lowers();
  if (auto done = unpack::finish_layer(folders.upper.get(), layer->unfinished, lowers); !done)
    return fail(done.error());
  if (auto landed = (*source)->wait_landed(); !landed) return fail(landed.error());
  return Applied{layer->diff_id, layer->bytes};
}

}  // namespace paceline::layers
