#include "plugin/analyze/open_image.h"

#include <algorithm>

#include "plugin/analyze/archive_source.h"
#include "plugin/analyze/blobs.h"
#include "plugin/base/files.h"
#include "plugin/oci/reference.h"
#include "plugin/store/layout.h"

namespace paceline::analyze {
namespace {

namespace fs = std::filesystem;

Result<std::unique_ptr<ImageSource>> open_layout(const fs::path& folder, const OpenOptions& options) {
  auto index = read_file(folder / "index.json", oci::kMaxManifestBytes);
  if (!index) return fail(index.error().context(folder.string() + " is no OCI layout"));
  auto digest = choose_from_layout(*index, options.tag, options.platform);
  if (!digest) return fail(digest.error().context(folder.string()));
  auto image = image_of_blobs(folder_blobs({folder / "blobs" / "sha256"}), *digest, options.platform, folder.string());
  if (!image) return fail(image.error().context(folder.string()));
  return image;
}

Result<std::unique_ptr<ImageSource>> open_stored(const std::string& image, const OpenOptions& options) {
  auto digest = Digest::parse(image);
  if (!digest) return fail(digest.error().context("an image in the store is named by its manifest's digest"));
  const store::Layout layout(options.store);
  auto found = image_of_blobs(folder_blobs({layout.blobs, layout.hidden}), *digest, options.platform, image);
  if (!found) return fail(found.error().context("store " + options.store.string()));
  return found;
}

/// Whether the config of an image for `platform` may say `said`; what it leaves out speaks not against it.
bool may_be_of(const oci::Platform& platform, const std::string& said) {
  auto image = oci::Platform::parse(said);
  if (!image) return true;
  const bool has_variant = std::count(said.begin(), said.end(), '/') == 2;
  if (!has_variant && image->architecture == platform.architecture) image->variant = platform.variant;
  return platform.runs(*image);
}

bool is_written_as_path(const std::string& image) {
  return image.starts_with('/') || image.starts_with("./") || image.starts_with("../");
}

Result<std::unique_ptr<ImageSource>> find_image(const std::string& image, const OpenOptions& options) {
  if (!options.store.empty()) return open_stored(image, options);
  std::error_code ignored;
  const auto status = fs::status(image, ignored);
  if (fs::is_directory(status)) return open_layout(image, options);
  if (fs::is_regular_file(status)) return open_archive(image, options.tag, options.platform);
  if (is_written_as_path(image)) {
    return fs::exists(status)
               ? fail(Code::kInvalidArgument,
                      image + " is neither a folder nor a regular file, which can be read from any place")
               : fail(Code::kNotFound, image + ": there is no such file or folder");
  }
  auto reference = oci::Reference::parse(image);
  if (!reference) return fail(reference.error());
  return open_registry_image(*reference, options.platform, options.registry);
}

}  // namespace

bool is_reference(const std::string& image, const OpenOptions& options) {
  std::error_code ignored;
  const auto status = fs::status(image, ignored);
  return options.store.empty() && !fs::is_directory(status) && !fs::is_regular_file(status) &&
         !is_written_as_path(image);
}

Result<std::unique_ptr<ImageSource>> open_image(const std::string& image, const OpenOptions& options) {
  auto found = find_image(image, options);
  if (!found || !options.platform_asked) return found;
  const std::string& said = (*found)->info().platform;
  if (may_be_of(options.platform, said)) return found;
  return fail(Code::kNotFound,
              image + ": the image is not made for " + options.platform.to_string() + ", but for " + said);
}

}  // namespace paceline::analyze
