<?php

// Nothing here has a session, but response() asks for one.
return ['driver' => 'array'];
