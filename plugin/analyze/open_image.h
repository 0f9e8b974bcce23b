// Finds an image by what was written on the command line.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "plugin/analyze/image_source.h"
#include "plugin/analyze/registry_source.h"
#include "plugin/oci/platform.h"

namespace paceline::analyze {

struct OpenOptions {
  oci::Platform platform;
  /// Then an image of another one is an error also where there is nothing to choose from.
  bool platform_asked = false;
  std::string tag;              ///< Of several images in one layout or archive.
  std::filesystem::path store;  ///< A content folder; then the image is a manifest's digest in it.
  RegistrySettings registry;
};

/// Whether `image` is no file, no folder, and not written like one: then it has to be a reference.
[[nodiscard]] bool is_reference(const std::string& image, const OpenOptions& options);

/// A folder: an OCI layout. A file: an archive of docker save, or of an OCI layout. With options.store: the digest of a
/// manifest in the store. Else a reference in a registry.
Result<std::unique_ptr<ImageSource>> open_image(const std::string& image, const OpenOptions& options);

}  // namespace paceline::analyze
