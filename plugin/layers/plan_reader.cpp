#include "plugin/layers/plan_reader.h"

#include <span>
#include <string>

#include "plugin/base/files.h"

namespace paceline::layers {

Result<std::vector<PlannedLayer>> read_plan(store::Store& store, const oci::Manifest& manifest) {
  const auto blob = store.open_blob(manifest.config.digest);
  if (!blob) return fail(blob.error());
  if ((*blob)->size > oci::kMaxConfigBytes) {
    return fail(Code::kInvalidArgument, "image config: " + std::to_string((*blob)->size) + " bytes are too many");
  }
  std::string text((*blob)->size, '\0');
  const auto count = read_at((*blob)->fd.get(), std::as_writable_bytes(std::span(text)), 0);
  if (!count) return fail(count.error());
  text.resize(*count);
  return plan_layers(manifest, text);
}

}  // namespace paceline::layers
