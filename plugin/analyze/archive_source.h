// An image in one tar file: what `docker save` writes, or an OCI layout in an archive.
#pragma once

#include <memory>
#include <string>

#include "plugin/analyze/image_source.h"
#include "plugin/oci/platform.h"

namespace paceline::analyze {

/// `tag`: which one, where the archive has several; a repository tag of its manifest.json, or an OCI name.
Result<std::unique_ptr<ImageSource>> open_archive(const std::string& path, const std::string& tag,
                                                  const oci::Platform& platform);

}  // namespace paceline::analyze
