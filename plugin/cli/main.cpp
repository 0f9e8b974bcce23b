#include <cstdlib>
#include <exception>
#include <iostream>

#include "plugin/cli/app.h"

int main(int argc, char** argv) {
  // The library's own log would only repeat, less clearly, what the error message says.
  ::setenv("GRPC_VERBOSITY", "NONE", 0);
  try {
    return paceline::cli::run(argc, argv, std::cout, std::cerr);
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
  }
}
