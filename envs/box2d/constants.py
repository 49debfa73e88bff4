"""Constants of the published tracks, in Box2D units unless said otherwise (Romac et al., 2021).

Sizes of the bodies are given in design units, ``SCALE`` of which make one Box2D unit.
"""

FPS = 50
SCALE = 30.0
VIEWPORT = (600, 400)  # pixels; they also scale the speeds in an observation
VELOCITY_ITERATIONS = 180
POSITION_ITERATIONS = 60

TERRAIN_STEP = 14 / SCALE
TERRAIN_LENGTH = 200 * TERRAIN_STEP
TERRAIN_HEIGHT = VIEWPORT[1] / SCALE / 4
START_PAD = 20  # terrain steps
FINISH_X = TERRAIN_LENGTH - 10 * TERRAIN_STEP
DEFAULT_SPACING = 8.0
KICK = 5.0  # the hull starts with a horizontal force drawn from [-KICK, KICK]

FRICTION = 2.5
TERRAIN_CATEGORY, TERRAIN_MASK = 0x0001, 0xFFFF
BODY_CATEGORY, BODY_MASK = 0x0020, 0x000F  # bodies collide with the world, never with each other

LIDAR_RAYS = 10
LIDAR_RANGE = 160 / SCALE
