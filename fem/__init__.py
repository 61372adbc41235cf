from fem.errors import FemError
