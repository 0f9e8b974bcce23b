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

Result<unpack::UnpackedLayer> unpack_into(GrowingSource& source, std::string_view media_type, const ApplyTarget& target,
                                          int upper, const unpack::Options& options) {
  auto layer = unpack::unpack_layer(source, media_type, std::nullopt, upper, options);
  if (!layer) return layer;
  std::vector<UniqueFd> lowers;
  std::vector<int> borrowed;
  for (const auto& path : target.lowers) {
    auto lower = open_folder(path);
    if (!lower) return fail(lower.error());
    borrowed.push_back(lower->get());
    lowers.push_back(std::move(*lower));
  }
  if (auto done = unpack::finish_layer(upper, layer->unfinished, borrowed); !done) return fail(done.error());
  if (auto landed = source.wait_landed(); !landed) return fail(landed.error());
  return layer;
}

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

Result<containerd::types::Descriptor> StoreLayerApplier::apply(const differ::LayerToApply& what, std::stop_token stop) {
  const auto target = apply_target(what.mounts);
  if (!target) return fail(target.error());
  const auto digest = Digest::parse(what.layer.digest());
  if (!digest) return fail(Code::kUnimplemented, "layer " + what.layer.digest() + " cannot be in the store");
  auto source = GrowingSource::open(store_, flights_, *digest, std::move(stop));
  if (!source && source.error().code == Code::kNotFound) {
    return fail(Code::kUnimplemented, "layer " + digest->to_string() + " is not in the store: another differ's");
  }
  if (!source) return fail(source.error());
  auto upper = open_folder(target->upper);
  if (!upper) return fail(upper.error());
  const auto names = names_in(target->upper);
  if (!names) return fail(names.error());
  if (!names->empty()) return fail(Code::kUnimplemented, target->upper.string() + " is not empty: another differ's");

  unpack::Options options;
  options.bottom = target->lowers.empty();
  options.slots = &slots_;
  auto layer = unpack_into(**source, what.layer.media_type(), *target, upper->get(), options);
  if (!layer && layer.error().code == Code::kUnimplemented) {
    if (auto emptied = empty_again(target->upper, upper->get()); !emptied) return fail(emptied.error());
  }
  if (!layer) return fail(layer.error().context("layer " + digest->to_string()));
  if (what.sync && ::syncfs(upper->get()) != 0) return fail(errno_error(errno, "sync " + target->upper.string()));

  spdlog::debug("layer {}: applied to {}", digest->to_string(), target->upper.string());
  containerd::types::Descriptor applied;
  applied.set_media_type(kUncompressedLayer);
  applied.set_digest(layer->diff_id.to_string());
  applied.set_size(static_cast<std::int64_t>(layer->bytes));
  return applied;
}

}  // namespace paceline::layers
