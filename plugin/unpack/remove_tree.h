// Removes a file or a whole folder below an open folder; links are removed, never followed. Any thread.
#pragma once

#include <string>

#include "plugin/base/result.h"

namespace paceline::unpack {

/// A name that is not there is fine. Takes a descriptor for each level of folders.
Status remove_tree(int folder, const std::string& name);

}  // namespace paceline::unpack
