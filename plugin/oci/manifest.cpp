#include "plugin/oci/manifest.h"

#include <algorithm>
#include <limits>

#include "plugin/base/text.h"
#include "plugin/oci/json.h"

namespace paceline::oci {
namespace {

using nlohmann::json;

// overlayfs stacks at most 500 layers (OVL_MAX_STACK): nothing that runs comes near. Indexes have tens of entries.
constexpr std::size_t kMaxEntries = 1000;
constexpr std::size_t kMaxTypeLength = 255;  // RFC 6838 §4.2: 127 + '/' + 127.
constexpr auto kMaxTotalBytes = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

enum class Kind { kUnknown, kIndex, kManifest, kSchema1 };

auto invalid(std::string message) { return fail(Code::kInvalidArgument, std::move(message)); }

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 100)) out.push_back(c >= ' ' && c < 0x7f ? c : '?');
  return out;
}

Kind kind_of_type(std::string_view type) {
  if (type == kOciIndex || type == kDockerList) return Kind::kIndex;
  if (type == kOciManifest || type == kDockerManifest) return Kind::kManifest;
  if (type.starts_with("application/vnd.docker.distribution.manifest.v1+")) return Kind::kSchema1;
  return Kind::kUnknown;
}

bool is_generic(std::string_view type) {
  return type.empty() || type == "application/json" || type == "application/octet-stream" || type == "text/plain";
}

auto schema1() {
  return invalid(
      "the image has a Docker schema 1 manifest, a format registries gave up: push it again with a current tool, "
      "e.g. skopeo copy --format v2s2");
}

Result<std::uint64_t> parse_size(const json& object, const std::string& where) {
  const auto size = object.find("size");
  if (size == object.end()) return invalid(where + " has no size");
  // A number with a fraction or beyond 64 bits is no unsigned integer to the parser.
  if (!size->is_number_unsigned()) return invalid(where + ": size is not a whole number of bytes");
  const auto value = size->get<std::uint64_t>();
  if (value > kMaxTotalBytes) return invalid(where + ": size is larger than any file can be");
  return value;
}

Platform parse_platform(const json& object) {
  const std::string os = string_member(object, "os");
  const std::string architecture = string_member(object, "architecture");
  const std::string variant = string_member(object, "variant");
  auto parsed = Platform::parse(os + "/" + architecture + (variant.empty() ? "" : "/" + variant));
  if (parsed) return *parsed;
  return Platform{printable(os), printable(architecture), printable(variant)};  // Matches nothing; fit for a message.
}

bool is_foreign(const json& object, const std::string& type) {
  if (type.find(".nondistributable.") != std::string::npos || type.find(".foreign.") != std::string::npos) return true;
  const auto urls = object.find("urls");
  return urls != object.end() && urls->is_array() && !urls->empty();
}

Result<Descriptor> parse_descriptor(const json& object, const std::string& where) {
  if (!object.is_object()) return invalid(where + " is not an object");
  Descriptor out;
  out.media_type = string_member(object, "mediaType");
  if (out.media_type.empty()) return invalid(where + " has no mediaType");
  if (out.media_type.size() > kMaxTypeLength) return invalid(where + ": mediaType is longer than 255 characters");
  const std::string digest = string_member(object, "digest");
  if (digest.empty()) return invalid(where + " has no digest");
  auto parsed = Digest::parse(printable(digest));
  if (!parsed) return fail(parsed.error().context(where));
  out.digest = *parsed;
  auto size = parse_size(object, where);
  if (!size) return fail(size.error());
  out.size = *size;
  if (const auto platform = object.find("platform"); platform != object.end() && platform->is_object()) {
    out.platform = parse_platform(*platform);
  }
  out.foreign = is_foreign(object, out.media_type);
  return out;
}

Result<std::vector<Descriptor>> parse_list(const json& document, const char* key, const std::string& what) {
  std::vector<Descriptor> out;
  const auto list = document.find(key);
  if (list == document.end() || list->is_null()) return out;  // Go writes an empty list as null.
  if (!list->is_array()) return invalid("the manifest's " + std::string(key) + " is not a list");
  if (list->size() > kMaxEntries) {
    return invalid("the manifest lists " + std::to_string(list->size()) + " " + key + ", more than " +
                   std::to_string(kMaxEntries));
  }
  out.reserve(list->size());
  for (const auto& element : *list) {
    auto descriptor = parse_descriptor(element, what + " " + std::to_string(out.size()));
    if (!descriptor) return fail(descriptor.error());
    out.push_back(std::move(*descriptor));
  }
  return out;
}

Result<Manifest> parse_manifest(const json& document) {
  Manifest out;
  const auto config = document.find("config");
  if (config == document.end()) return invalid("the manifest has no config");
  auto descriptor = parse_descriptor(*config, "config");
  if (!descriptor) return fail(descriptor.error());
  out.config = std::move(*descriptor);
  auto layers = parse_list(document, "layers", "layer");
  if (!layers) return fail(layers.error());
  out.layers = std::move(*layers);
  std::uint64_t total = out.config.size;
  for (const auto& layer : out.layers) {
    if (layer.size > kMaxTotalBytes - total)
      return invalid("the sizes of the image's layers add up to more than any disk");
    total += layer.size;
  }
  return out;
}

Result<Kind> find_kind(const json& document, std::string_view media_type) {
  const std::string own_type = string_member(document, "mediaType");
  const bool lists = document.contains("manifests");
  const bool is_image = document.contains("layers") || document.contains("config");
  // One digest, two readings: what was scanned need not be what runs (CVE-2021-41190). containerd refuses these too.
  if (lists && is_image) return invalid("the document is both an image manifest and an index: refused as ambiguous");

  const Kind own = kind_of_type(own_type);
  Kind kind = kind_of_type(media_type);
  if (kind == Kind::kUnknown && !is_generic(media_type)) {
    return invalid("the registry sent a document of type '" + printable(media_type) +
                   "', which is no image manifest or index");
  }
  if (kind != Kind::kUnknown && own != Kind::kUnknown && own != kind) {
    return invalid("the registry calls the document '" + printable(media_type) + "' but it calls itself '" +
                   printable(own_type) + "'");
  }
  if (kind == Kind::kUnknown) kind = own;
  if (kind == Kind::kUnknown && !own_type.empty()) {
    return invalid("the document is of type '" + printable(own_type) + "', which is no image manifest or index");
  }
  if (kind == Kind::kUnknown && lists) kind = Kind::kIndex;
  if (kind == Kind::kUnknown && is_image) kind = Kind::kManifest;
  if (kind == Kind::kIndex && is_image) return invalid("the document is called an index but is an image manifest");
  if (kind == Kind::kManifest && lists) return invalid("the document is called an image manifest but is an index");

  const auto version = document.find("schemaVersion");
  const bool version_1 = version != document.end() && version->is_number_integer() && *version == 1;
  if (kind == Kind::kSchema1 || version_1) return schema1();
  if (version == document.end() || !version->is_number_integer() || *version != 2) {
    return invalid("the manifest's schemaVersion is not 2");
  }
  if (kind == Kind::kUnknown) return invalid("the document has neither layers nor manifests: it is no image");
  return kind;
}

// How well `image` suits, higher first, 0: not at all. Same machine before its 32-bit set, then the highest variant.
unsigned suitability(const Platform& machine, const Platform& image) {
  if (!machine.runs(image)) return 0;
  unsigned variant = 1;
  if (image.variant.size() == 2 && image.variant[0] == 'v') variant = static_cast<unsigned>(image.variant[1] - '0');
  return (machine.architecture == image.architecture ? 100 : 10) + variant;
}

bool is_attestation(const Descriptor& entry) {
  return entry.platform && entry.platform->os == "unknown" && entry.platform->architecture == "unknown";
}

}  // namespace

Result<std::variant<Index, Manifest>> parse_document(std::string_view text, std::string_view media_type) {
  if (text.size() > kMaxManifestBytes) {
    return invalid("the manifest is larger than 4 MiB (" + format_bytes(text.size()) + ")");
  }
  const std::string type = to_lower(trim(media_type.substr(0, media_type.find(';'))));
  if (kind_of_type(type) == Kind::kSchema1) return schema1();  // A signed one is not even an object of its own.
  auto document = parse_json_object(text, "the manifest");
  if (!document) return fail(document.error());
  auto kind = find_kind(*document, type);
  if (!kind) return fail(kind.error());
  if (*kind == Kind::kIndex) {
    auto entries = parse_list(*document, "manifests", "index entry");
    if (!entries) return fail(entries.error());
    return Index{std::move(*entries)};
  }
  auto manifest = parse_manifest(*document);
  if (!manifest) return fail(manifest.error());
  return std::move(*manifest);
}

Result<Descriptor> choose_platform(const Index& index, const Platform& platform) {
  const Descriptor* best = nullptr;
  unsigned best_score = 0;
  const Descriptor* unmarked = nullptr;
  std::string offered;
  for (const auto& entry : index.manifests) {
    if (is_attestation(entry)) continue;
    if (!entry.platform) {
      const bool image = kind_of_type(entry.media_type) != Kind::kUnknown;
      if (unmarked == nullptr && image) unmarked = &entry;
      continue;
    }
    const unsigned score = suitability(platform, *entry.platform);
    if (score > best_score) {
      best = &entry;
      best_score = score;
    }
    if (offered.size() < 500) offered += (offered.empty() ? "" : ", ") + entry.platform->to_string();
  }
  if (best == nullptr) best = unmarked;
  if (best != nullptr) return *best;
  return fail(Code::kNotFound, "the image is not made for " + platform.to_string() + "; it offers " +
                                   (offered.empty() ? "no platform at all" : offered));
}

}  // namespace paceline::oci
