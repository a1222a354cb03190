// The console's own script.
"use strict";
