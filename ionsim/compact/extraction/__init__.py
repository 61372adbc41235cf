"""From a device to a model card: virtual experiments, their replay by the compact model, fitting, error tables.

``protocol`` says what a family brings; ``experiments`` runs plans; ``replay`` drives a model as a run was driven.
"""
