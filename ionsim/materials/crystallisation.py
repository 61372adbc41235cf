"""Temporary."""
import numpy as np
from scipy.interpolate import PchipInterpolator
class Kinetics:
    _T=np.array([400,450,500,534,550,600,650,700,750,800,850,880.])
    _u=np.array([2e-12,6e-9,3.7e-6,1.5e-4,1.5e-3,8.5e-2,.5,1.2,1.89,2.26,1.91,1.04])
    _TI=np.array([400,450,500,550,600,650,700,750.])
    _I=np.array([3.9e19,2.6e23,1.7e26,3.4e28,3.9e29,1.1e29,7.8e26,4.7e21])
    def __init__(self):
        self._f=PchipInterpolator(self._T,np.log(self._u)); self._g=PchipInterpolator(self._TI,np.log(self._I))
    def velocity_m_per_s(self,T):
        T=np.asarray(T,float)
        low=np.exp(self._f(np.clip(T,300,880)))
        return np.where(T<880,low,1.04*(900-T)/20)
    def nucleation_per_m3s(self,T):
        T=np.asarray(T,float)
        return np.where((T>300)&(T<800),np.exp(self._g(np.clip(T,300,800))),0.0)
def kinetics(name): return Kinetics()
