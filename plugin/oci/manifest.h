// Descriptors, manifests and indexes (OCI image-spec 1.1; Docker schema 2), parsed from bytes a registry sent.
// Hostile until proven otherwise: sizes, digests, counts and media types are checked. Values, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "plugin/base/digest.h"
#include "plugin/oci/platform.h"

namespace paceline::oci {

/// OCI distribution-spec, "Pushing Manifests": registries SHOULD accept 4 MiB; larger ones are refused here.
inline constexpr std::size_t kMaxManifestBytes = 4U << 20U;
/// An image config is a small JSON; containerd reads it whole too.
inline constexpr std::size_t kMaxConfigBytes = 8U << 20U;

inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kDockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
/// What to send as Accept when asking for a manifest.
inline constexpr std::string_view kAcceptManifests =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;            ///< Bytes.
  std::optional<Platform> platform;  ///< Index entries only.
  bool foreign = false;  ///< Non-distributable layer or one with urls: not in the registry, left to containerd.
};

struct Manifest {
  Descriptor config;
  std::vector<Descriptor> layers;  ///< Bottom layer first.
};

struct Index {
  std::vector<Descriptor> manifests;
};

/// Parses by `media_type` (the Content-Type, which wins) or, when that is generic or empty, by the document's own
/// mediaType and shape. Docker schema 1 and artefacts of unknown type: kInvalidArgument with the type named.
Result<std::variant<Index, Manifest>> parse_document(std::string_view json, std::string_view media_type);

/// The entry for `platform` that containerd would choose: an exact one, else the best that runs, the first among
/// equals; an entry without a platform comes last. Attestations are never chosen. kNotFound lists the platforms on
/// offer.
Result<Descriptor> choose_platform(const Index& index, const Platform& platform);

}  // namespace paceline::oci
