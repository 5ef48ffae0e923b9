// The page's own part. htmx asks for more rows, folds and restores, and listens to the stream.

import "./box.js";
import "./keys.js";
import "./news.js";
