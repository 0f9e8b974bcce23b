// Checks of what clients send: every field, before anything is done with it. Errors name the field and the value.
// Pure functions, any thread.
#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include <optional>
#include <string>
#include <vector>

#include "plugin/base/digest.h"
#include "plugin/base/result.h"
#include "plugin/oci/platform.h"
#include "plugin/oci/reference.h"

namespace paceline::api {

/// Most images, pulls or targets that one call may name: what it costs stays bounded.
inline constexpr int kMaxNames = 1000;
inline constexpr int kMaxDigests = 10'000;

using Strings = google::protobuf::RepeatedPtrField<std::string>;

/// Refuses what is longer than any valid name before it is echoed or parsed.
Result<oci::Reference> check_image(const std::string& text);
/// At least one, at most kMaxNames; duplicates are dropped.
Result<std::vector<oci::Reference>> check_images(const Strings& images);
/// Empty: no platform was named.
Result<std::optional<oci::Platform>> check_platform(const std::string& text);
Result<std::vector<Digest>> check_digests(const Strings& digests);
Status check_pull_id(const std::string& id);

}  // namespace paceline::api
