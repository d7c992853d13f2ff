#ifndef SHADOW_H
#define SHADOW_H
#include "layout.h"
struct shadow_root;
struct shadow { int x; };
#endif
