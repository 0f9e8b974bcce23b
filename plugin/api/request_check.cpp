#include "plugin/api/request_check.h"

#include <algorithm>

namespace paceline::api {
namespace {

// A registry host has at most 253 + 6 bytes, a repository 255, a tag 128, a digest 71.
constexpr std::size_t kMaxImageBytes = 768;
constexpr std::size_t kMaxPlatformBytes = 128;
constexpr std::size_t kMaxPullIdBytes = 128;

tl::unexpected<Error> too_long(const std::string& what, std::size_t size, std::size_t limit) {
  return fail(Code::kInvalidArgument,
              what + " is " + std::to_string(size) + " bytes long; at most " + std::to_string(limit) + " are allowed");
}

}  // namespace

Result<oci::Reference> check_image(const std::string& text) {
  if (text.empty()) return fail(Code::kInvalidArgument, "the image is empty: name one, e.g. docker.io/library/redis:7");
  if (text.size() > kMaxImageBytes) return too_long("the image", text.size(), kMaxImageBytes);
  return oci::Reference::parse(text);
}

Result<std::vector<oci::Reference>> check_images(const Strings& images) {
  if (images.empty()) return fail(Code::kInvalidArgument, "no image is named: give at least one");
  if (images.size() > kMaxNames) {
    return fail(Code::kInvalidArgument, std::to_string(images.size()) + " images are too many for one call: at most " +
                                            std::to_string(kMaxNames));
  }
  std::vector<oci::Reference> references;
  for (const auto& image : images) {
    auto reference = check_image(image);
    if (!reference) return fail(reference.error());
    if (std::find(references.begin(), references.end(), *reference) == references.end()) {
      references.push_back(std::move(*reference));
    }
  }
  return references;
}

Result<std::optional<oci::Platform>> check_platform(const std::string& text) {
  if (text.empty()) return std::optional<oci::Platform>();
  if (text.size() > kMaxPlatformBytes) return too_long("the platform", text.size(), kMaxPlatformBytes);
  auto platform = oci::Platform::parse(text);
  if (!platform) return fail(platform.error());
  return std::optional(std::move(*platform));
}

Result<std::vector<Digest>> check_digests(const Strings& digests) {
  if (digests.size() > kMaxDigests) {
    return fail(
        Code::kInvalidArgument,
        std::to_string(digests.size()) + " digests are too many for one call: at most " + std::to_string(kMaxDigests));
  }
  std::vector<Digest> parsed;
  for (const auto& text : digests) {
    auto digest = Digest::parse(text);
    if (!digest) return fail(digest.error());
    parsed.push_back(*digest);
  }
  return parsed;
}

Status check_pull_id(const std::string& id) {
  if (id.empty()) return fail(Code::kInvalidArgument, "the pull's id is empty: `paceline pulls --all` shows them");
  if (id.size() > kMaxPullIdBytes) return too_long("the pull's id", id.size(), kMaxPullIdBytes);
  return {};
}

}  // namespace paceline::api
