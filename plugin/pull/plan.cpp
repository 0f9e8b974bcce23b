#include "plugin/pull/plan.h"

#include <unordered_map>

namespace paceline::pull {

Result<std::vector<oci::Descriptor>> plan_blobs(const oci::Manifest& manifest) {
  std::vector<oci::Descriptor> blobs;
  std::unordered_map<Digest, std::uint64_t> sizes;
  const auto add = [&](const oci::Descriptor& blob) -> Status {
    if (blob.foreign) return {};
    const auto [it, fresh] = sizes.try_emplace(blob.digest, blob.size);
    if (fresh) {
      blobs.push_back(blob);
    } else if (it->second != blob.size) {
      return fail(Code::kInvalidArgument, "manifest names blob " + blob.digest.to_string() + " with two sizes, " +
                                              std::to_string(it->second) + " and " + std::to_string(blob.size));
    }
    return {};
  };
  if (auto added = add(manifest.config); !added) return fail(added.error());
  for (const auto& layer : manifest.layers) {
    if (auto added = add(layer); !added) return fail(added.error());
  }
  return blobs;
}

}  // namespace paceline::pull
