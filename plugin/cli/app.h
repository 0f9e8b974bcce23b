// The command line as a whole: parses it, runs the command, answers the exit code. Once a process, from main.
#pragma once

#include <ostream>

namespace paceline::cli {

int run(int argc, char** argv, std::ostream& out, std::ostream& err);

}  // namespace paceline::cli
