#include "plugin/content/ref.h"

namespace paceline::content {

std::optional<Digest> digest_in_ref(std::string_view ref) {
  const auto at = ref.rfind("sha256:");
  // Something must stand before it ("layer-"), or nothing at all: "notsha256:…" is another word.
  if (at == std::string_view::npos) return std::nullopt;
  if (at > 0 && ref[at - 1] != '-' && ref[at - 1] != '/' && ref[at - 1] != '@') return std::nullopt;
  const auto digest = Digest::parse(ref.substr(at));
  if (!digest) return std::nullopt;
  return *digest;
}

}  // namespace paceline::content
