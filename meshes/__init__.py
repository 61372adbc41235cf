from meshes.errors import MeshError
