#include "plugin/pull/documents.h"

#include <span>
#include <string>

#include "plugin/base/files.h"
#include "plugin/base/log.h"

namespace paceline::pull {

Status keep_document(store::Store& store, const registry::Document& document, store::Purpose purpose) {
  auto kept = store.put_hidden(document.digest, document.bytes, purpose);
  if (!kept) spdlog::warn("manifest {} not kept: {}", document.digest.to_string(), kept.error().message);
  return kept;
}

std::optional<oci::Manifest> stored_manifest(store::Store& store, const Digest& digest) {
  const auto blob = store.open_blob(digest);
  if (!blob || (*blob)->size > oci::kMaxManifestBytes) return std::nullopt;
  std::string bytes((*blob)->size, '\0');
  const auto count = read_at((*blob)->fd.get(), std::as_writable_bytes(std::span(bytes)), 0);
  if (!count || *count != bytes.size() || sha256(bytes) != digest) return std::nullopt;
  const auto parsed = oci::parse_document(bytes, "");
  if (!parsed || !std::holds_alternative<oci::Manifest>(*parsed)) return std::nullopt;
  return std::get<oci::Manifest>(*parsed);
}

}  // namespace paceline::pull
