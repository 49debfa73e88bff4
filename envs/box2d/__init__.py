"""Physics that the Box2D worlds share: ground, lidar, contacts, the track and its picture."""
