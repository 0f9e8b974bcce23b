// An image reference as Docker users write it: "redis", "docker.io/library/redis:7", "host:port/a/b@sha256:…".
// Grammar: distribution/reference. Parsing only; no network. Values, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "plugin/base/digest.h"

namespace paceline::oci {

struct Reference {
  std::string registry;    ///< Host with port if given: "docker.io", "localhost:5000", "[::1]:5000".
  std::string repository;  ///< "library/redis".
  std::string tag;         ///< Empty only when a digest is given.
  std::optional<Digest> digest;

  /// Fills in docker.io, library/ and :latest as Docker does. kInvalidArgument says which part is wrong.
  static Result<Reference> parse(std::string_view text);
  /// A valid registry: host[:port], as it appears before the first slash.
  static Status check_registry(std::string_view registry);
  /// A valid repository name, as it appears in a registry URL.
  static Status check_repository(std::string_view repository);
  static Status check_tag(std::string_view tag);

  /// The digest if there is one, else the tag: what a manifest is asked for by.
  [[nodiscard]] std::string object() const;
  /// The full, canonical form.
  [[nodiscard]] std::string to_string() const;

  bool operator==(const Reference&) const = default;
};

}  // namespace paceline::oci
